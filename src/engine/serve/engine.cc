#include "engine/serve/engine.h"

#include <csignal>
#include <utility>

#include "base/log.h"
#include "engine/latency/simulated_model.h"
#include "engine/latency/step_model.h"
#include "engine/serve/front.h"
#include "engine/serve/kv_publisher.h"
#include "http/server.h"
#include "net/signals.h"

namespace tidegate::serve {
namespace {

constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;
constexpr std::size_t kConnectionsMax = 16'384;

batch::StepperConfig stepper_config(const Flags& flags, std::size_t blocks) {
  batch::StepperConfig config;
  config.scheduler.sequences_max = flags.sequences_max;
  config.scheduler.step_tokens_max = flags.step_tokens_max;
  config.scheduler.chunk_tokens_max = flags.chunk_tokens_max;
  config.scheduler.chunked_prefill = flags.chunked_prefill;
  config.scheduler.prefix_caching = flags.prefix_caching;
  config.scheduler.policy = flags.priority_policy ? batch::Policy::kPriority : batch::Policy::kFirstCome;
  config.scheduler.block_tokens = flags.block_tokens;
  config.scheduler.adapter_wait_max = std::chrono::milliseconds(flags.lora_wait_ms);
  config.blocks = flags.blocks > 0 ? flags.blocks + 1 : blocks;
  config.context_max = flags.context_max;
  if (flags.lora) {
    config.adapters = {.slots = flags.loras_max,
                       .memory_max = flags.cpu_loras_max > 0 ? flags.cpu_loras_max : flags.loras_max};
  }
  config.adapter_rank_max = flags.lora_rank_max;
  config.hash_seed = flags.hash_seed;
  return config;
}

RequestRules rules_of(const Flags& flags, const Parts& parts) {
  RequestRules rules;
  rules.vocabulary = parts.model->facts().vocabulary;
  rules.logprobs_max = flags.logprobs_max;
  rules.priority_policy = flags.priority_policy;
  rules.auto_tool_choice = flags.auto_tool_choice;
  rules.strict_stream_options = flags.old_vllm;
  rules.defaults = parts.defaults;
  return rules;
}

http::ServerOptions server_options(const Flags& flags, const Clock& clock) {
  http::ServerOptions options;
  options.body_bytes_max = kBodyBytesMax;
  options.connections_max = kConnectionsMax;
  options.clock = &clock;
  options.error_body = [old = flags.old_vllm](int status, const Error& error) {
    return server_error_body(status, error, old);
  };
  return options;
}

// Ends the loop after the first signal: no new connections, running requests go on for the drain time.
net::Task<void> end_on_signal(net::Loop& loop, net::Signals& signals, Engine& engine, Duration grace) {
  const int number = co_await signals.next();
  log::info("engine", "draining", {{"signal", number}, {"requests", engine.in_flight()}});
  co_await engine.drain(grace);
  loop.stop();
}

}  // namespace

Result<Parts> simulated_parts(const Flags& flags) {
  latency::Profile profile = latency::profile_for_model(flags.model);
  if (!flags.simulate.value_or("").empty()) {
    auto found = latency::find_profile(*flags.simulate);
    if (!found) return fail(Code::kNotFound, found.error().message, "--simulate=" + *flags.simulate);
    profile = *found;
  }
  if (!flags.step_model.empty()) {
    auto figures = latency::with_step_model(profile, flags.step_model);
    if (!figures) return fail(figures.error().code, describe(figures.error()), "--step-model");
    profile = *figures;
    profile.name = "given by --step-model";
  }
  profile.time_scale = flags.time_scale;
  if (flags.first_token_ms || flags.inter_token_ms) {
    // Constants in the manner of llm-d-inference-sim replace the profile's curve.
    const double each = flags.inter_token_ms.value_or(0);
    profile.fixed_ms = 0;
    profile.linear = {{{1, each}}};
    profile.context_us = profile.prefill_square_ms = profile.sequence_ms = 0;
    profile.prefill_fixed_ms = std::max(0.0, flags.first_token_ms.value_or(each) - each);
  }
  if (flags.prefill_token_ms) profile.prefill_token_ms = *flags.prefill_token_ms;
  if (flags.load_factor) profile.load_factor = *flags.load_factor;
  if (flags.context_max > profile.context_max) profile.context_max = flags.context_max;

  Parts parts;
  auto tokenizer = std::make_unique<latency::PseudoTokenizer>();
  const std::uint64_t seed = flags.seed.value_or(0);
  const auto answers = flags.echo ? latency::Answers::kEcho : latency::Answers::kRandom;
  parts.blocks = latency::kv_blocks(profile, flags.memory_utilization, flags.block_tokens,
                                    flags.lora ? flags.loras_max : 0, flags.lora_rank_max, flags.gpus);
  parts.notes.push_back("simulating profile " + std::string(profile.name) + ": " +
                        std::to_string((parts.blocks - 1) * flags.block_tokens) + " tokens of KV cache");
  parts.model = std::make_unique<latency::SimulatedModel>(profile, *tokenizer, seed, answers);
  parts.tokenizer = std::move(tokenizer);
  return parts;
}

// Members are destroyed in reverse: the server before the thread that answers it, the thread before the
// model.
struct Engine::State {
  State(net::Loop& loop, Flags given, Parts made, const Clock& clock, net::Address where,
        const batch::StepperConfig& config, std::unique_ptr<batch::Stepper> stepper)
      : flags(std::move(given)),
        parts(std::move(made)),
        address(where),
        inbox(loop, [this] { thread.delivered(); }),
        thread(std::move(stepper), *parts.model, clock,
               [this](std::vector<batch::Output> outputs) { inbox.post(std::move(outputs)); }),
        desk{.flags = flags,
             .tokenizer = *parts.tokenizer,
             .engine = thread,
             .inbox = inbox,
             .loop = loop,
             .clock = clock,
             .random = flags.seed ? Random(*flags.seed) : Random::from_system(),
             .catalog = Catalog(
                 flags.served_names, flags.model,
                 std::chrono::duration_cast<std::chrono::seconds>(clock.wall().time_since_epoch()).count()),
             .rules = rules_of(flags, parts),
             .cache = {flags.block_tokens, config.blocks - 1, flags.memory_utilization, flags.prefix_caching},
             .bodies = {},
             .guides = Guides(*parts.tokenizer, parts.model->facts().vocabulary),
             .rates = {},
             .busy = {},
             .ready_at = clock.now() + std::chrono::milliseconds(flags.faults.startup_delay_ms),
             .http_counts = {}},
        server(
            loop,
            [this](http::Request& request, http::Responder& responder) {
              return answer_request(desk, request, responder);
            },
            server_options(flags, clock)) {
    for (const LoraModule& module : flags.lora_modules) {
      const lora::AdapterId id = thread.add_adapter({module.name, flags.paths.locate(module.path)});
      desk.catalog.add({module.name, module.path, module.base, id});
    }
  }

  Flags flags;
  Parts parts;
  net::Address address;
  std::unique_ptr<KvPublisher> publisher;  // null: nobody is told; outlives the thread that tells it
  Inbox inbox;
  EngineThread thread;
  Desk desk;
  http::Server server;
};

Engine::Engine(std::unique_ptr<State> state) : state_(std::move(state)) {}
Engine::~Engine() = default;

Result<std::unique_ptr<Engine>> Engine::make(net::Loop& loop, const Flags& flags, Parts parts,
                                             const Clock& clock) {
  const auto address = net::Address::parse(flags.host, flags.port);
  if (!address)
    return fail(Code::kInvalid, "is \"" + flags.host + "\"; use an IP address of this host", "--host");
  std::unique_ptr<KvPublisher> publisher;
  if (flags.kv_events.enabled) {
    auto made = KvPublisher::make(flags.kv_events);
    if (!made) return fail(made.error().code, made.error().message, "--kv-events-config");
    publisher = *std::move(made);
  }
  const batch::StepperConfig config = stepper_config(flags, parts.blocks);
  auto stepper = batch::Stepper::make(config, *parts.model, *parts.tokenizer);
  if (!stepper) return tl::unexpected(stepper.error());
  batch::Stepper* const steps = stepper->get();
  auto state =
      std::make_unique<State>(loop, flags, std::move(parts), clock, *address, config, *std::move(stepper));
  if (publisher) {
    state->publisher = std::move(publisher);
    state->thread.tell_cache_events(
        [&told = *state->publisher, steps, &clock,
         block_tokens = flags.block_tokens](const std::vector<batch::CacheEvent>& events) {
          told.publish(batch_of(events, steps->residency(), block_tokens, clock.wall()));
        });
  }
  return std::unique_ptr<Engine>(new Engine(std::move(state)));
}

Result<net::Address> Engine::listen() {
  auto bound = state_->server.listen(state_->address);
  if (bound) state_->thread.start();
  return bound;
}

net::Task<void> Engine::drain(Duration grace) {
  state_->desk.draining = true;
  co_await state_->server.drain(grace);
  state_->thread.stop();
}

std::uint64_t Engine::in_flight() const { return state_->desk.in_flight; }

Result<void> run(const Flags& flags, Parts parts, const std::function<void(const net::Address&)>& on_ready) {
  net::Loop loop;
  net::Signals signals(loop, {SIGTERM, SIGINT});
  const SystemClock clock;
  auto engine = Engine::make(loop, flags, std::move(parts), clock);
  if (!engine) return tl::unexpected(engine.error());
  const auto bound = (*engine)->listen();
  if (!bound) return tl::unexpected(bound.error());
  on_ready(*bound);
  net::TaskGroup tasks;
  tasks.spawn(end_on_signal(loop, signals, **engine, std::chrono::seconds(flags.drain_s)));
  loop.run();
  return {};
}

}  // namespace tidegate::serve
