#include "gateway/config.h"

#include <array>
#include <charconv>
#include <concepts>
#include <limits>
#include <type_traits>

#include "base/ascii.h"
#include "gateway/picker_config.h"
#include "net/address.h"

namespace tidegate::gateway {
namespace {

struct Unit {
  std::string_view suffix;
  std::int64_t ns;
};
constexpr std::array<Unit, 5> kUnits{{{"h", 3'600'000'000'000},
                                      {"m", 60'000'000'000},
                                      {"s", 1'000'000'000},
                                      {"ms", 1'000'000},
                                      {"us", 1'000}}};

template <std::integral T>
Result<T> parse_number(std::string_view text, T least) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < least) {
    return invalid("", "is \"" + std::string(text.substr(0, 64)) + "\"; write a whole number from " +
                           std::to_string(least) + " to " + std::to_string(std::numeric_limits<T>::max()));
  }
  return value;
}

Result<float> parse_float(std::string_view text) {
  float value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value >= 0) || value > 1e6F) {
    return invalid("", "is \"" + std::string(text.substr(0, 64)) + "\"; write a number from 0 to 1000000");
  }
  return value;
}

// Access: a function from Config& to the member's reference.
template <typename Access>
using Member = std::remove_reference_t<std::invoke_result_t<Access, Config&>>;

template <typename Access>
Field count(std::string_view flag, std::string_view unit, std::string_view help, Member<Access> least,
            Access at) {
  return {flag, unit, help,
          [at, least](Config& config, std::string_view text) -> Result<void> {
            const auto value = parse_number<Member<Access>>(text, least);
            if (!value) return tl::unexpected(value.error());
            at(config) = *value;
            return {};
          },
          [at](const Config& config) { return std::to_string(at(const_cast<Config&>(config))); }};
}

template <typename Access>
Field duration(std::string_view flag, std::string_view help, Access at) {
  return {flag, "duration", help,
          [at](Config& config, std::string_view text) -> Result<void> {
            const Result<Duration> value = parse_duration(text);
            if (!value) return tl::unexpected(value.error());
            at(config) = *value;
            return {};
          },
          [at](const Config& config) { return duration_text(at(const_cast<Config&>(config))); }};
}

template <typename Access>
Field number(std::string_view flag, std::string_view help, Access at) {
  return {flag, "number", help,
          [at](Config& config, std::string_view text) -> Result<void> {
            const Result<float> value = parse_float(text);
            if (!value) return tl::unexpected(value.error());
            at(config) = *value;
            return {};
          },
          [at](const Config& config) {
            char text[32];
            const auto [end, error] =
                std::to_chars(text, text + sizeof text, at(const_cast<Config&>(config)));
            return std::string(text, error == std::errc{} ? end : text);
          }};
}

Result<void> set_bind(Config& config, std::string_view text) {
  std::vector<std::string> addresses;
  while (!text.empty()) {
    const std::size_t comma = text.find(',');
    const std::string_view one = ascii::trim(text.substr(0, comma));
    text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    const Result<net::Address> address = net::Address::parse(one, 0);
    if (!address) return tl::unexpected(address.error());
    addresses.emplace_back(one);
  }
  if (addresses.empty())
    return invalid("", "is empty; write one or more IP addresses, with commas between them");
  config.bind = std::move(addresses);
  return {};
}

std::string show_bind(const Config& config) {
  std::string text;
  for (const std::string& address : config.bind) text += (text.empty() ? "" : ",") + address;
  return text;
}

Result<void> set_stats_bind(Config& config, std::string_view text) {
  const Result<net::Address> address = net::Address::parse(text, 0);
  if (!address) return tl::unexpected(address.error());
  config.stats_bind = text;
  return {};
}

std::vector<Field> make_fields() {
  return {
      count("--workers", "count", "worker threads; each accepts and serves its own connections",
            std::uint32_t{1}, [](Config& c) -> auto& { return c.workers; }),
      {"--bind", "address",
       "addresses that listeners bind whose Gateway names none, with commas between them", set_bind,
       show_bind},
      {"--stats-bind", "address", "address of the statistics port", set_stats_bind,
       [](const Config& c) { return c.stats_bind; }},
      count("--stats-port", "count", "statistics port: /stats/prometheus, /metrics, /healthz, /endpoints",
            std::uint16_t{0}, [](Config& c) -> auto& { return c.stats_port; }),
      count("--ingress-port", "count", "port on which Ingress objects are served; 0 serves none",
            std::uint16_t{0}, [](Config& c) -> auto& { return c.ingress_port; }),
      count("--ingress-tls-port", "count",
            "port on which Ingress objects are served with TLS, if any has spec.tls; 0 serves none",
            std::uint16_t{0}, [](Config& c) -> auto& { return c.ingress_tls_port; }),
      {"--access-log", "path", "file of the access log, one JSON object per line; empty writes none",
       [](Config& c, std::string_view text) -> Result<void> {
         c.access_log = text;
         return {};
       },
       [](const Config& c) { return c.access_log; }},
      count("--connections-max", "count",
            "client connections per worker and listener; more are closed at once", std::uint32_t{1},
            [](Config& c) -> auto& { return c.connections_max; }),
      count("--body-bytes-max", "bytes", "largest request body; a larger one is answered with 413",
            std::size_t{1}, [](Config& c) -> auto& { return c.limits.body_bytes_max; }),
      count("--head-bytes-max", "bytes", "largest request head; a larger one is answered with 431",
            std::size_t{1024}, [](Config& c) -> auto& { return c.limits.head.head_bytes_max; }),
      count("--target-bytes-max", "bytes", "longest request target; a longer one is answered with 414",
            std::size_t{128}, [](Config& c) -> auto& { return c.limits.head.target_bytes_max; }),
      count("--headers-max", "count", "most header fields of one request; more are answered with 431",
            std::size_t{8}, [](Config& c) -> auto& { return c.limits.head.headers_max; }),
      duration("--head-timeout", "for a request's head to arrive after its first byte",
               [](Config& c) -> auto& { return c.limits.head_timeout; }),
      duration("--body-timeout", "between two pieces of a request's body, and for all of it beyond 1 KB/s",
               [](Config& c) -> auto& { return c.limits.body_timeout; }),
      duration("--idle-timeout", "for a client connection without a request",
               [](Config& c) -> auto& { return c.limits.idle_timeout; }),
      duration("--connect-timeout", "for a connection to an endpoint",
               [](Config& c) -> auto& { return c.upstream.connect_timeout; }),
      duration("--first-byte-timeout",
               "from sending a request to the head of its answer; long, as engines queue",
               [](Config& c) -> auto& { return c.first_byte_timeout; }),
      duration("--stream-idle-timeout", "between two pieces of an answer, on either side",
               [](Config& c) -> auto& { return c.stream_idle_timeout; }),
      duration("--total-timeout", "for a whole request; 0 sets no bound",
               [](Config& c) -> auto& { return c.total_timeout; }),
      duration("--upstream-idle-timeout", "for a connection to an endpoint that rests",
               [](Config& c) -> auto& { return c.upstream.idle_timeout; }),
      count("--upstream-idle-max", "count", "resting connections kept per endpoint and worker",
            std::size_t{0}, [](Config& c) -> auto& { return c.upstream.idle_per_endpoint_max; }),
      count("--retries", "count", "further endpoints tried before the first byte of an answer",
            std::uint32_t{0}, [](Config& c) -> auto& { return c.retries; }),
      duration("--drain-timeout", "for requests under way when the gateway is told to stop",
               [](Config& c) -> auto& { return c.drain_timeout; }),
      duration("--scrape-interval", "between two readings of an engine's metrics",
               [](Config& c) -> auto& { return c.fleet.scrape_interval; }),
      duration("--scrape-timeout", "for one reading",
               [](Config& c) -> auto& { return c.fleet.scrape_timeout; }),
      count("--in-flight-max", "count",
            "requests under way per pool; more are answered with 429, 0 sets no bound", std::uint32_t{0},
            [](Config& c) -> auto& { return c.admit.in_flight_max; }),
      count("--breaker-failures", "count",
            "failures in a row after which an endpoint is left for a while; 0 leaves none", std::uint32_t{0},
            [](Config& c) -> auto& { return c.fleet.guard.breaker.failures_in_row; }),
      number("--breaker-failure-share", "share of failures among the latest 20 or so that does the same",
             [](Config& c) -> auto& { return c.fleet.guard.breaker.failure_share; }),
      duration("--breaker-pause", "until the endpoint is tried with one request; doubles while that fails",
               [](Config& c) -> auto& { return c.fleet.guard.breaker.pause; }),
      duration("--breaker-pause-max", "the longest such pause",
               [](Config& c) -> auto& { return c.fleet.guard.breaker.pause_max; }),
      duration("--hang-timeout",
               "after which an endpoint gets no new requests when some wait there and none has had a byte; 0 "
               "never",
               [](Config& c) -> auto& { return c.fleet.guard.hang; }),
      number("--ejected-share-max", "share of a pool that may be left so; if more fail, all are asked",
             [](Config& c) -> auto& { return c.pick.ejected_share_max; }),
      count("--endpoint-requests-max", "count",
            "requests, and so connections, that one endpoint may hold; 0 sets no bound", std::uint32_t{0},
            [](Config& c) -> auto& { return c.pick.requests_max; }),
      number("--shed-at", "pool saturation from which sheddable requests are answered with 429",
             [](Config& c) -> auto& { return c.admit.shed_at; }),
      number("--saturated-waiting", "waiting requests that count an endpoint as full",
             [](Config& c) -> auto& { return c.admit.waiting_threshold; }),
      number("--saturated-kv", "KV cache use, 0 to 1, that counts an endpoint as full",
             [](Config& c) -> auto& { return c.admit.kv_threshold; }),
      {"--picker-config", "path",
       "EndpointPickerConfig: weights and plugins of the picker; --weight flags behind it go on from there",
       [](Config& c, std::string_view text) -> Result<void> {
         if (text.empty()) return {};
         const Result<PickerConfig> read = load_picker_config(std::string(text));
         if (!read) return tl::unexpected(read.error());
         read->apply(c.pick);
         c.picker_config = text;
         c.picker_notes = read->notes;
         return {};
       },
       [](const Config& c) { return c.picker_config; }},
      {"--session-affinity", "text",
       "none, header, cookie or id: requests of one session go to one endpoint; =NAME for another header or "
       "cookie",
       [](Config& c, std::string_view text) -> Result<void> {
         const Result<pick::Session> session = parse_session(text);
         if (!session) return tl::unexpected(session.error());
         c.pick.session = *session;
         if (session->by != pick::SessionBy::kNothing && c.pick.weights.session == 0)
           c.pick.weights.session = 3;
         c.session_affinity = text;
         return {};
       },
       [](const Config& c) { return c.session_affinity; }},
      count("--hold-requests-max", "count",
            "requests per pool that wait for a first endpoint (scale from zero); more are answered with 503",
            std::uint32_t{0}, [](Config& c) -> auto& { return c.hold.requests; }),
      count("--hold-bytes-max", "bytes", "what those may take, bodies and 4 KiB each", std::uint64_t{0},
            [](Config& c) -> auto& { return c.hold.bytes; }),
      duration("--hold-timeout", "longest wait for a first endpoint, then 503",
               [](Config& c) -> auto& { return c.hold_timeout; }),
      duration("--hold-keep-alive",
               "between comments sent to held clients that asked for a stream; 0 sends none. With one, their "
               "status is 200 from then on and an error comes as an event",
               [](Config& c) -> auto& { return c.hold_keep_alive; }),
      count("--queue-requests-max", "count",
            "requests per pool and priority that wait for room on an endpoint; more are answered with 429, 0 "
            "leaves all waiting to the engines",
            std::uint32_t{0}, [](Config& c) -> auto& { return c.queue.requests; }),
      count("--queue-bytes-max", "bytes", "what those may take, bodies and 4 KiB each", std::uint64_t{0},
            [](Config& c) -> auto& { return c.queue.bytes; }),
      duration("--queue-timeout", "longest wait for room, then 429; a request may ask for less",
               [](Config& c) -> auto& { return c.queue_timeout; }),
      count("--first-window", "count", "requests sent to an endpoint before it has been read",
            std::uint32_t{1}, [](Config& c) -> auto& { return c.fleet.gate.first; }),
      number("--weight-queue", "picker: weight of few waiting requests",
             [](Config& c) -> auto& { return c.pick.weights.queue; }),
      number("--weight-running", "picker: weight of few running requests",
             [](Config& c) -> auto& { return c.pick.weights.running; }),
      number("--weight-kv", "picker: weight of free KV cache",
             [](Config& c) -> auto& { return c.pick.weights.kv; }),
      number("--weight-in-flight", "picker: weight of few requests of ours",
             [](Config& c) -> auto& { return c.pick.weights.in_flight; }),
      number("--weight-lora", "picker: weight of the adapter being loaded already",
             [](Config& c) -> auto& { return c.pick.weights.lora; }),
      number("--weight-prefix",
             "picker: weight of holding the prompt's beginning in the KV cache; 0 switches the index off",
             [](Config& c) -> auto& { return c.pick.weights.prefix; }),
      number("--weight-tokens", "picker: weight of little prompt to compute before the answer can begin",
             [](Config& c) -> auto& { return c.pick.weights.tokens; }),
      number("--weight-session", "picker: weight of being the session's home",
             [](Config& c) -> auto& { return c.pick.weights.session; }),
      number("--affinity-load-max",
             "picker: an endpoint with more than this times the mean load, and the slack, gets no credit for "
             "adapters and prompts that it holds",
             [](Config& c) -> auto& { return c.pick.affinity_load_max; }),
      number("--affinity-load-slack", "picker: requests that an endpoint may always hold above that bound",
             [](Config& c) -> auto& { return c.pick.affinity_load_slack; }),
      count("--affinity-rise-bytes", "bytes",
            "picker: from so many bytes on a held prefix counts above that bound too, up to twice it at twice the "
            "bytes; 0: it never does",
            std::uint32_t{0}, [](Config& c) -> auto& { return c.pick.affinity_rise_bytes; }),
      count("--prefix-prompt-bytes-min", "bytes", "picker: shorter prompts are not looked up",
            std::uint32_t{0}, [](Config& c) -> auto& { return c.pick.prefix_prompt_bytes_min; }),
      count("--prefix-blocks-max", "count",
            "picker: prompt blocks remembered over all endpoints, some 30 bytes of memory each",
            std::size_t{64}, [](Config& c) -> auto& { return c.prefix_blocks_max; }),
      count("--kv-blocks-max", "count",
            "picker: blocks that engines tell they hold, remembered over all endpoints, some 80 bytes each",
            std::size_t{64}, [](Config& c) -> auto& { return c.kv_blocks_max; }),
      count("--kv-places-max", "count",
            "picker: places in prompts whose tokens are remembered, 24 bytes each, for pools with KV events",
            std::size_t{256}, [](Config& c) -> auto& { return c.kv_places_max; }),
      count("--kv-tokenize-bytes", "bytes",
            "picker: prompts that engines are asked to tokenize, per second and engine; 0 asks none",
            std::uint64_t{0}, [](Config& c) -> auto& { return c.kv_tokenize_bytes; }),
      duration(
          "--kv-tokenize-wait",
          "picker: how long a request waits for its own prompt's tokens before it is placed; 0: not at all",
          [](Config& c) -> auto& { return c.kv_tokenize_wait; }),
  };
}

}  // namespace

const std::vector<Field>& fields() {
  static const std::vector<Field> made = make_fields();
  return made;
}

std::string reference() {
  const Config defaults;
  std::string table = "| Flag | Unit | Default | Meaning |\n|---|---|---|---|\n";
  for (const Field& field : fields()) {
    const std::string shown = field.show(defaults);
    table.append("| `").append(field.flag).append("` | ").append(field.unit).append(" | ");
    table.append(shown.empty() ? "none" : "`" + shown + "`").append(" | ").append(field.help).append(" |\n");
  }
  return table;
}

Result<Duration> parse_duration(std::string_view text) {
  double amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const std::string_view suffix(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (error == std::errc{} && amount >= 0 && amount < 1e9) {
    if (amount == 0 && suffix.empty()) return Duration::zero();
    for (const Unit& unit : kUnits) {
      const double ns = amount * static_cast<double>(unit.ns);
      if (unit.suffix == suffix && ns < 9e18) return Duration(static_cast<std::int64_t>(ns));
    }
  }
  return invalid(
      "", "is \"" + std::string(text.substr(0, 64)) + "\"; write a duration such as 250ms, 2s, 5m or 1h");
}

std::string duration_text(Duration duration) {
  if (duration == Duration::zero()) return "0";
  for (const Unit& unit : kUnits) {
    if (duration.count() % unit.ns == 0)
      return std::to_string(duration.count() / unit.ns) + std::string(unit.suffix);
  }
  return std::to_string(duration.count() / 1000) + "us";
}

}  // namespace tidegate::gateway
