// tidegate top: what nodes, pods and containers use, of those that metrics.k8s.io knows.

#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/quantity.h"
#include "cli/show/table.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "resource/fields.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

struct Options {
  ServerFlags server;
  std::string what;
  std::string name;
  std::string selector;
  bool containers = false;
};

struct Usage {
  Quantity cpu, memory;
};

Quantity quantity(const Json& document, std::string_view path) {
  const auto parsed = Quantity::parse(text(document, path, "0"));
  return parsed ? *parsed : Quantity{};
}

Usage usage_in(const Json& document, const std::string& under) {
  return {quantity(document, under + ".cpu"), quantity(document, under + ".memory")};
}

std::string cpu_text(Quantity cpu) { return std::to_string(cpu.milli) + "m"; }
std::string memory_text(Quantity memory) { return std::to_string(memory.whole() / (1024 * 1024)) + "Mi"; }
std::string share(Quantity part, Quantity whole) {
  return whole.milli <= 0 ? "<unknown>" : std::to_string(part.milli / (whole.milli / 100 + 1)) + "%";
}

Result<show::Table> top_nodes(Server& server, const std::vector<Json>& items) {
  const auto nodes = server.fetch(remote::collection_path("", "v1", "nodes", ""));
  if (!nodes) return tl::unexpected(nodes.error());
  std::map<std::string, Usage> offered;
  const Json* list = resource::find_array(*nodes, "items");
  for (std::size_t i = 0; list != nullptr && i < list->size(); ++i) {
    offered[text((*list)[i], "metadata.name")] = usage_in((*list)[i], "status.allocatable");
  }
  show::Table table{{"NAME", "CPU(cores)", "CPU(%)", "MEMORY(bytes)", "MEMORY(%)"}, {}};
  for (const Json& item : items) {
    const std::string name = text(item, "metadata.name");
    const Usage used = usage_in(item, "usage");
    const Usage whole = offered[name];
    table.rows.push_back({name, cpu_text(used.cpu), share(used.cpu, whole.cpu), memory_text(used.memory),
                          share(used.memory, whole.memory)});
  }
  return table;
}

show::Table top_pods(const std::vector<Json>& items, const Options& options) {
  show::Table table;
  if (options.server.all_namespaces) table.heads.emplace_back("NAMESPACE");
  if (options.containers) {
    table.heads.insert(table.heads.end(), {"POD", "NAME"});
  } else {
    table.heads.emplace_back("NAME");
  }
  table.heads.insert(table.heads.end(), {"CPU(cores)", "MEMORY(bytes)"});
  for (const Json& item : items) {
    const auto add = [&](const std::string& container, const Usage& used) {
      show::Row row;
      if (options.server.all_namespaces) row.push_back(text(item, "metadata.namespace"));
      row.push_back(text(item, "metadata.name"));
      if (options.containers) row.push_back(container);
      row.insert(row.end(), {cpu_text(used.cpu), memory_text(used.memory)});
      table.rows.push_back(std::move(row));
    };
    Usage sum;
    const Json* containers = resource::find_array(item, "containers");
    for (std::size_t i = 0; containers != nullptr && i < containers->size(); ++i) {
      const Usage used = usage_in((*containers)[i], "usage");
      sum = {sum.cpu + used.cpu, sum.memory + used.memory};
      if (options.containers) add(text((*containers)[i], "name"), used);
    }
    if (!options.containers) add("", sum);
  }
  return table;
}

Result<std::vector<Json>> read_usage(Server& server, bool nodes, const Options& options) {
  std::string path = remote::collection_path("metrics.k8s.io", "v1beta1", nodes ? "nodes" : "pods",
                                             nodes ? std::string_view() : server.list_namespace());
  if (!options.name.empty()) path += "/" + remote::escaped(options.name);
  auto answer = server.fetch(path + query_text({{"labelSelector", options.selector}}));
  if (!answer) return tl::unexpected(answer.error());
  if (!options.name.empty()) return std::vector<Json>{*std::move(answer)};
  const Json* items = resource::find_array(*answer, "items");
  return items == nullptr ? std::vector<Json>() : std::vector<Json>(items->begin(), items->end());
}

int run_top(const Options& options) {
  const bool nodes = options.what == "nodes" || options.what == "node" || options.what == "no";
  if (!nodes && options.what != "pods" && options.what != "pod" && options.what != "po") {
    report("top", {Code::kInvalid, "", "is for nodes and pods, not for '" + options.what + "'"});
    return 2;
  }
  const auto server = Server::reach(options.server);
  if (!server) return report("top", server.error());
  const auto items = read_usage(**server, nodes, options);
  if (!items) return report("top", items.error());
  if (items->empty()) {
    std::cerr << "No resources found\n";
    return 0;
  }
  const auto table = nodes ? top_nodes(**server, *items) : Result<show::Table>(top_pods(*items, options));
  if (!table) return report("top", table.error());
  std::cout << show::Columns().print(*table, true);
  return 0;
}

}  // namespace

void add_top(Command app, int& status) {
  Command verb = app.add_subcommand("top", "Shows what nodes and pods use of CPU and memory");
  auto options = std::make_shared<Options>();
  verb.add_option("WHAT", options->what, "nodes or pods").required();
  verb.add_option("NAME", options->name, "Only this one");
  add_server_flags(verb, options->server, Namespaces::kOneOrAll);
  verb.add_option("-l,--selector", options->selector, "Only those with these labels: a=b,c!=d");
  verb.add_flag("--containers", options->containers, "Each container of the pods");
  verb.callback([options, &status] { status = run_top(*options); });
}

}  // namespace tidegate::cli
