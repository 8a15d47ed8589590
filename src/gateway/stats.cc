#include "gateway/stats.h"

#include <array>
#include <cmath>
#include <map>
#include <string>

#include "gateway/dialect/json_text.h"
#include "gateway/kv_stats.h"
#include "telemetry/exposition.h"

namespace tidegate::gateway {
namespace {

using fleet::Fleet;

template <typename Value>
void family(telemetry::ExpositionWriter& writer, const std::vector<Fleet::Row>& rows, telemetry::Kind kind,
            std::string_view name, std::string_view help, Value value) {
  writer.family(kind, name, help);
  for (const Fleet::Row& row : rows) {
    const std::array<std::pair<std::string_view, std::string_view>, 2> labels = {
        {{"pool", pool_of(row.key)}, {"endpoint", row.address}}};
    writer.sample(labels, static_cast<double>(value(row)));
  }
}

std::string_view name_of(fleet::Breaker::State state) {
  switch (state) {
    case fleet::Breaker::State::kClosed:
      return "closed";
    case fleet::Breaker::State::kOpen:
      return "open";
    case fleet::Breaker::State::kHalfOpen:
      return "half-open";
  }
  return "";
}

std::string endpoints_json(const std::vector<Fleet::Row>& rows, const KvStates& kv) {
  std::string out = "[";
  for (const Fleet::Row& row : rows) {
    if (out.size() > 1) out += ',';
    out += "\n{\"pool\":";
    dialect::append_json_token(out, pool_of(row.key));
    out += ",\"endpoint\":";
    dialect::append_json_token(out, row.address);
    const auto number = [&](std::string_view name, double value) {
      out.append(",\"").append(name).append("\":");
      if (std::isfinite(value)) {
        telemetry::append_number(out, value);
      } else {
        out += "null";
      }
    };
    out.append(",\"engine\":\"").append(dialect::name_of(row.engine)).append("\"");
    out.append(",\"healthy\":").append(row.healthy ? "true" : "false");
    out.append(",\"breaker\":\"").append(name_of(row.breaker)).append("\"");
    out.append(",\"hangs\":").append(row.hangs ? "true" : "false");
    number("ejections", static_cast<double>(row.ejections));
    number("waiting", row.facts.waiting);
    number("running", row.facts.running);
    number("kvUsage", row.facts.kv_usage);
    number("inFlight", row.facts.in_flight);
    number("adaptersResident", row.adapters_resident);
    number("scrapeAgeSeconds", row.facts.age_s);
    number("scrapesFailed", static_cast<double>(row.scrapes_failed));
    if (const auto told = kv.find(row.prefix_id); told != kv.end()) {
      out.append(",\"kvEvents\":\"").append(word_for(told->second.trust)).append("\"");
      number("kvBlocks", static_cast<double>(told->second.blocks));
    }
    out += '}';
  }
  return out + "\n]\n";
}

}  // namespace

void write_fleet(telemetry::ExpositionWriter& writer, const std::vector<Fleet::Row>& rows) {
  using telemetry::Kind;
  using Row = Fleet::Row;
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_healthy", "1 if the endpoint takes requests.",
         [](const Row& row) { return row.healthy ? 1 : 0; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_ejected",
         "1 if the endpoint is left because its answers fail or it hangs.",
         [](const Row& row) { return row.breaker == fleet::Breaker::State::kOpen || row.hangs ? 1 : 0; });
  family(writer, rows, Kind::kCounter, "tidegate_endpoint_ejections_total",
         "How often failures took the endpoint out.", [](const Row& row) { return row.ejections; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_waiting",
         "Requests waiting in the engine, as it last said.",
         [](const Row& row) { return row.facts.waiting; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_running",
         "Requests running in the engine, as it last said.",
         [](const Row& row) { return row.facts.running; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_kv_usage_ratio",
         "KV cache in use, as the engine last said.", [](const Row& row) { return row.facts.kv_usage; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_in_flight", "Requests of ours there now.",
         [](const Row& row) { return row.facts.in_flight; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_adapters_resident",
         "Adapters that our model places there.", [](const Row& row) { return row.adapters_resident; });
  family(writer, rows, Kind::kGauge, "tidegate_endpoint_scrape_age_seconds", "Age of the engine's last word.",
         [](const Row& row) { return row.facts.age_s; });
  family(writer, rows, Kind::kCounter, "tidegate_endpoint_scrapes_failed_total", "Scrapes without an answer.",
         [](const Row& row) { return row.scrapes_failed; });
}

void write_prefixes(telemetry::ExpositionWriter& writer, const pick::PrefixIndex& index) {
  using telemetry::Kind;
  writer.family(Kind::kGauge, "tidegate_prefix_index_blocks", "Prompt blocks in the prefix index.");
  writer.sample({}, static_cast<double>(index.blocks()));
  writer.family(Kind::kGauge, "tidegate_prefix_index_bytes", "Memory of the prefix index.");
  writer.sample({}, static_cast<double>(index.memory_bytes()));
}

void write_waiting(telemetry::ExpositionWriter& writer, const WaitingByPool& waiting) {
  // Pools of one name, such as a Service's ports, are told together.
  std::map<std::string_view, flow::Cell::Row> held;
  std::map<std::pair<std::string_view, std::int32_t>, flow::Cell::Row> queued;
  const auto add = [](flow::Cell::Row& sum, const flow::Cell::Row& row) {
    sum.requests += row.requests;
    sum.bytes += row.bytes;
  };
  for (const auto& [id, pool] : waiting) {
    add(held[pool.name], pool.cell->held());
    add(queued[{pool.name, 0}], {});
    for (const flow::Cell::Row& row : pool.cell->queued()) add(queued[{pool.name, row.priority}], row);
  }
  const auto write_held = [&](std::string_view name, std::string_view help, auto value) {
    writer.family(telemetry::Kind::kGauge, name, help);
    for (const auto& [pool, row] : held) {
      const std::array<std::pair<std::string_view, std::string_view>, 1> labels = {{{"pool", pool}}};
      writer.sample(labels, static_cast<double>(value(row)));
    }
  };
  const auto write_queued = [&](std::string_view name, std::string_view help, auto value) {
    writer.family(telemetry::Kind::kGauge, name, help);
    for (const auto& [key, row] : queued) {
      const std::string priority = std::to_string(key.second);
      const std::array<std::pair<std::string_view, std::string_view>, 2> labels = {
          {{"pool", key.first}, {"priority", priority}}};
      writer.sample(labels, static_cast<double>(value(row)));
    }
  };
  const auto requests = [](const flow::Cell::Row& row) { return row.requests; };
  const auto bytes = [](const flow::Cell::Row& row) { return row.bytes; };
  write_held("tidegate_held_requests", "Requests that wait for a pool's first endpoint.", requests);
  write_held("tidegate_held_bytes", "What they take in memory, heads and bodies.", bytes);
  write_queued("tidegate_queued_requests", "Requests that wait for room on a pool's endpoints.", requests);
  write_queued("tidegate_queued_bytes", "What they take in memory, heads and bodies.", bytes);
}

net::Task<void> serve_stats(const telemetry::Registry& registry, const fleet::Fleet& fleet,
                            const kvfeed::Follower& follower, const std::function<bool()>& ready,
                            http::Request& request, http::Responder& responder) {
  if (request.method != "GET" && request.method != "HEAD") {
    responder.header("Allow", "GET, HEAD");
    co_await responder.respond(405, "text/plain", "GET only\n");
  } else if (request.path == "/stats/prometheus" || request.path == "/metrics") {
    const telemetry::Negotiated format = request.path == "/metrics"
                                             ? telemetry::negotiate(request.header("accept").value_or(""))
                                             : telemetry::text_only();
    std::string page = registry.scrape(format.format);
    if (telemetry::accepts_gzip(request.header("accept-encoding").value_or(""))) {
      responder.header("Content-Encoding", "gzip");
      page = telemetry::gzip(page);
    }
    co_await responder.respond(200, format.content_type, std::move(page));
  } else if (request.path == "/healthz") {
    co_await responder.respond(200, "text/plain", "ok\n");
  } else if (request.path == "/readyz") {
    const bool is_ready = ready();
    co_await responder.respond(is_ready ? 200 : 503, "text/plain",
                               is_ready ? "ok\n" : "no configuration yet\n");
  } else if (request.path == "/endpoints") {
    co_await responder.respond(200, "application/json", endpoints_json(fleet.rows(), follower.states()));
  } else {
    co_await responder.respond(404, "text/plain",
                               "try /stats/prometheus, /metrics, /healthz, /readyz or /endpoints\n");
  }
}

}  // namespace tidegate::gateway
