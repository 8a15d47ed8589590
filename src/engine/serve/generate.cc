// /v1/completions and /v1/chat/completions: from a checked request to the end of its answer.

#include <algorithm>
#include <charconv>
#include <utility>

#include "engine/serve/desk.h"
#include "engine/serve/json_out.h"

namespace tidegate::serve {
namespace {

constexpr std::size_t kRequestIdMax = 128;

// The client's id if it sent a usable one, else a random one.
std::string request_id(Desk& desk, const http::Request& request, const GenerateRequest& asked) {
  std::string_view given = request.header("X-Request-Id").value_or(asked.request_id);
  given = given.substr(0, kRequestIdMax);
  const bool plain =
      std::all_of(given.begin(), given.end(), [](char c) { return c > ' ' && c < 0x7f && c != '"'; });
  if (!given.empty() && plain) return std::string(given);
  return random_hex(desk.random, 16);
}

ApiResult<std::vector<AnswerPrompt>> prompts_of(const Desk& desk, GenerateRequest& asked) {
  std::vector<AnswerPrompt> prompts;
  const auto keep_last = [&](std::vector<batch::Token>& tokens) {
    const std::size_t most = asked.truncate_prompt_tokens.value_or(tokens.size());
    if (tokens.size() > most) tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(most));
  };
  if (asked.api == Api::kChat) {
    auto text = desk.tokenizer.render_chat(asked.chat);
    if (!text) return bad_request(describe(text.error()));
    AnswerPrompt prompt;
    prompt.tokens = desk.tokenizer.encode(*text, asked.add_special_tokens);
    keep_last(prompt.tokens);
    prompts.push_back(std::move(prompt));
    return prompts;
  }
  for (Prompt& given : asked.prompts) {
    AnswerPrompt prompt;
    if (given.is_tokens) {
      prompt.tokens = std::move(given.tokens);
      if (asked.echo) {
        const auto decoder = desk.tokenizer.decoder({}, asked.skip_special_tokens);
        for (const batch::Token token : prompt.tokens) decoder->push(token, prompt.text);
        decoder->finish(prompt.text);
      }
    } else {
      prompt.tokens = desk.tokenizer.encode(given.text, asked.add_special_tokens);
      if (asked.echo) prompt.text = std::move(given.text);
    }
    keep_last(prompt.tokens);
    prompts.push_back(std::move(prompt));
  }
  return prompts;
}

std::vector<batch::Submission> submissions_of(Desk& desk, const GenerateRequest& asked,
                                              std::span<const AnswerPrompt> prompts,
                                              std::span<const batch::Sampling> samplings,
                                              lora::AdapterId adapter, std::uint64_t first_id) {
  std::vector<batch::Submission> submissions;
  const std::uint64_t seed = asked.seed ? static_cast<std::uint64_t>(*asked.seed) : desk.random.next();
  for (std::size_t p = 0; p < prompts.size(); ++p) {
    for (std::size_t k = 0; k < asked.n; ++k) {
      batch::Submission submission;
      submission.id = first_id + p * asked.n + k;
      submission.prompt = prompts[p].tokens;
      submission.sampling = samplings[p];
      submission.sampling.seed = seed + k;
      submission.sampling.seed_given = asked.seed.has_value();
      submission.stop = asked.stop;
      submission.skip_special = asked.skip_special_tokens;
      submission.adapter = adapter;
      submission.priority = asked.priority;
      submission.cache_salt = asked.cache_salt;
      submission.choices = asked.n;
      submission.arrival = desk.clock.now();
      submissions.push_back(std::move(submission));
    }
  }
  return submissions;
}

// A fault that was asked for, by flag or by the header X-Return-Error.
enum class Fault { kNone, kStatus, kBreak };

ApiError injected_failure() { return {500, "InternalServerError", "This failure was injected.", ""}; }

Fault draw_fault(Desk& desk, const http::Request& request, ApiError& error) {
  if (!desk.flags.simulate) return Fault::kNone;
  if (const auto wanted = request.header("X-Return-Error")) {
    int status = 0;
    std::from_chars(wanted->data(), wanted->data() + wanted->size(), status);
    if (status >= 400 && status <= 599) {
      error = {status, status < 500 ? "BadRequestError" : "InternalServerError", "This error was asked for.",
               ""};
      return Fault::kStatus;
    }
  }
  const Faults& faults = desk.flags.faults;
  if (faults.fail_rate <= 0 || desk.random.unit() >= faults.fail_rate) return Fault::kNone;
  error = injected_failure();
  return faults.fail_after_tokens > 0 ? Fault::kBreak : Fault::kStatus;
}

// Counts a request as in flight while it lives, and takes its sequences out of the engine if it ends early.
class Flight {
 public:
  Flight(Desk& desk, Ticket& ticket) : desk_(desk), ticket_(ticket) { ++desk_.in_flight; }
  ~Flight() {
    --desk_.in_flight;
    if (!landed_) desk_.engine.cancel(ticket_.ids());
  }
  Flight(const Flight&) = delete;
  Flight& operator=(const Flight&) = delete;
  void landed() { landed_ = true; }

 private:
  Desk& desk_;
  Ticket& ticket_;
  bool landed_ = false;
};

struct Work {
  GenerateRequest asked;
  std::vector<AnswerPrompt> prompts;
  std::string id;
  Catalog::Match model;
  Fault fault = Fault::kNone;
};

// Passes outputs from the ticket to the client until the answer is complete. The head of a stream is sent
// with the first news, so that what fails before it still gets a status of its own.
Respond converse(Desk& desk, Exchange& exchange, Work& work, Answer& answer, Ticket& ticket, Flight& flight) {
  std::string events;
  std::size_t tokens = 0;
  bool started = false;
  while (!answer.done()) {
    const bool here = co_await ticket.news();
    if (!here) co_return;
    for (const batch::Output& output : ticket.take()) {
      tokens += output.token.has_value();
      answer.add(output.id - ticket.first(), output, events);
    }
    if (answer.error() != nullptr && !started) {
      if (answer.done()) flight.landed();
      const ApiError error = from(*answer.error());
      co_await answer_error(desk, exchange, error);
      co_return;
    }
    if (work.fault == Fault::kBreak && tokens >= desk.flags.faults.fail_after_tokens) {
      // Returning without finishing cuts the connection.
      if (started) co_return;
      const ApiError injected = injected_failure();
      co_await answer_error(desk, exchange, injected);
      co_return;
    }
    if (!work.asked.stream) continue;
    if (!started) {
      started = true;
      exchange.status = 200;
      exchange.responder.header("Cache-Control", "no-cache");
      const auto begun = co_await exchange.responder.start(200, "text/event-stream; charset=utf-8");
      if (!begun) co_return;
      std::string opening;
      answer.open(opening);
      events.insert(0, opening);
    }
    if (answer.done()) answer.finish(events);
    const auto sent = co_await exchange.responder.write(events);
    if (!sent) co_return;
    events.clear();
  }
  flight.landed();
  if (work.asked.stream) {
    const auto finished = co_await exchange.responder.finish();
    (void)finished;
    co_return;
  }
  co_await answer_json(exchange, 200, answer.body());
}

// Each word as it begins a text, and as it follows a blank where that is another single token.
std::vector<std::vector<batch::Token>> token_sequences(const batch::Tokenizer& tokenizer,
                                                       const std::vector<std::string>& words) {
  std::vector<std::vector<batch::Token>> sequences;
  for (const std::string& word : words) {
    const std::string plain = word.substr(std::min(word.find_first_not_of(' '), word.size() - 1));
    auto first = tokenizer.encode(plain, false), later = tokenizer.encode(" " + plain, false);
    const bool differs = !first.empty() && first.size() == later.size() && first[0] != later[0];
    sequences.push_back(std::move(first));
    if (differs) sequences.push_back(std::move(later));
  }
  return sequences;
}

// "guided_json: properties.a.not is not ...", "guided_regex is too ...".
ApiError guide_error(const GenerateRequest& asked, const Error& error) {
  const std::string between = error.field.empty() ? " " : ": ";
  return {400, "BadRequestError", asked.guide_field + between + describe(error), asked.guide_field};
}

// Everything that can be refused before the engine hears of the request.
ApiResult<Work> prepare(Desk& desk, Exchange& exchange, Api api, std::vector<batch::Sampling>& samplings) {
  auto asked = desk.bodies.generate(api, exchange.request.body, desk.rules);
  if (!asked) return tl::unexpected(asked.error());
  Work work;
  work.asked = *std::move(asked);
  work.asked.tokens_as_ids = work.asked.tokens_as_ids || desk.flags.tokens_as_ids;
  auto model = desk.catalog.find(work.asked.model);
  if (!model) return tl::unexpected(not_found(work.asked.model));
  work.model = *std::move(model);
  auto prompts = prompts_of(desk, work.asked);
  if (!prompts) return tl::unexpected(prompts.error());
  work.prompts = *std::move(prompts);
  for (const AnswerPrompt& prompt : work.prompts) {
    if (auto fits = fit_to_context(work.asked, prompt.tokens.size(), desk.engine.context_max()); !fits) {
      return tl::unexpected(fits.error());
    }
    samplings.push_back(work.asked.sampling);
  }
  const auto bad_words = token_sequences(desk.tokenizer, work.asked.bad_words);
  for (batch::Sampling& sampling : samplings) sampling.bad_words = bad_words;
  if (work.asked.guide) {
    auto guide = desk.guides.get(*work.asked.guide);
    if (!guide) return tl::unexpected(guide_error(work.asked, guide.error()));
    const auto guide_work = std::make_shared<std::size_t>(guide::kRequestWork);
    for (batch::Sampling& sampling : samplings) {
      sampling.guide = *guide;
      sampling.guide_work = guide_work;
    }
  }
  if (desk.flags.waiting_max > 0 && desk.engine.snapshot().stats.waiting >= desk.flags.waiting_max) {
    return tl::unexpected(ApiError{429, "RateLimitError", "The waiting queue is full; try again later.", ""});
  }
  ApiError error;
  work.fault = draw_fault(desk, exchange.request, error);
  if (work.fault == Fault::kStatus) return tl::unexpected(error);
  work.id = request_id(desk, exchange.request, work.asked);
  return work;
}

Respond generate(Desk& desk, Exchange& exchange, Api api) {
  std::vector<batch::Sampling> samplings;
  auto prepared = prepare(desk, exchange, api, samplings);
  if (!prepared) {
    co_await answer_error(desk, exchange, prepared.error());
    co_return;
  }
  Work work = *std::move(prepared);
  exchange.request.body = {};
  if (desk.flags.request_id_headers) exchange.responder.header("X-Request-Id", work.id);
  if (desk.flags.faults.stall_ms > 0) {
    net::Alarm alarm(desk.loop);
    co_await alarm.after(std::chrono::milliseconds(desk.flags.faults.stall_ms));
  }

  Ticket ticket(desk.inbox, work.prompts.size() * work.asked.n);
  if (!exchange.responder.on_client_gone([&ticket] { ticket.leave(); })) co_return;
  const AnswerHead head{
      (api == Api::kChat ? "chatcmpl-" : "cmpl-") + work.id,
      std::chrono::duration_cast<std::chrono::seconds>(desk.clock.wall().time_since_epoch()).count(),
      work.model.name};
  AnswerOptions options;
  options.prompt_tokens_details = desk.flags.prompt_tokens_details;
  options.force_include_usage = desk.flags.force_include_usage;
  options.flat_errors = desk.flags.old_vllm;
  Answer answer(work.asked, head, work.prompts, TokenNames{desk.tokenizer, work.asked.tokens_as_ids},
                options);
  Flight flight(desk, ticket);
  desk.engine.submit(
      submissions_of(desk, work.asked, work.prompts, samplings, work.model.adapter, ticket.first()));
  co_await converse(desk, exchange, work, answer, ticket, flight);
}

}  // namespace

Respond completions(Desk& desk, Exchange& exchange) { co_await generate(desk, exchange, Api::kCompletion); }
Respond chat_completions(Desk& desk, Exchange& exchange) { co_await generate(desk, exchange, Api::kChat); }
Respond invocations(Desk& desk, Exchange& exchange) {
  const bool chat = desk.bodies.has_messages(exchange.request.body);
  co_await generate(desk, exchange, chat ? Api::kChat : Api::kCompletion);
}

}  // namespace tidegate::serve
