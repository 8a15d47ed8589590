// tidegate get: objects as a table, in full, or as they change.

#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "cli/output.h"
#include "cli/show/table.h"
#include "cli/targets.h"
#include "cli/verbs.h"
#include "resource/fields.h"
#include "resource/json.h"

namespace tidegate::cli {
namespace {

using resource::Json;
using resource::text;

constexpr const char* kAsTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
constexpr std::size_t kEventMax = 16 * 1024 * 1024;

struct Options {
  ServerFlags server;
  std::vector<std::string> words;
  std::string selector;
  std::string field_selector;
  std::string output;
  bool watch = false;
  bool no_headers = false;
};

class Get {
 public:
  Get(Server& server, const Options& options, Output output)
      : server_(server), options_(options), output_(std::move(output)) {}

  int run(const std::vector<Target>& targets);

 private:
  std::string accept() const { return output_.is_table() ? kAsTable : "application/json"; }
  std::string path_of(const Target& target) const;
  bool lists(const std::vector<Target>& targets) const { return targets.front().name.empty(); }

  // One answer per target; what fails is told and left out.
  std::vector<std::pair<const Target*, Json>> fetch_all(const std::vector<Target>& targets, int& status);
  void print_tables(const std::vector<std::pair<const Target*, Json>>& answers);
  void print_names(const Resource& resource, const Json& answer);
  void print_whole(const std::vector<std::pair<const Target*, Json>>& answers, bool list);
  show::TableOptions table_options(const Resource& resource, bool prefix) const;

  Result<void> watch(const Target& target, std::string revision);
  Result<void> print_event(const Target& target, std::string_view line, std::string& revision);

  Server& server_;
  const Options& options_;
  const Output output_;
  show::Columns columns_;
  Json definitions_;  // of the columns: events of a watch may leave them out
  bool heads_printed_ = false;
};

std::string Get::path_of(const Target& target) const {
  const std::string_view space = target.name.empty() ? server_.list_namespace() : server_.namespace_();
  return target.resource.path(space, target.name) +
         query_text({{"labelSelector", options_.selector}, {"fieldSelector", options_.field_selector}});
}

show::TableOptions Get::table_options(const Resource& resource, bool prefix) const {
  return {.wide = output_.form == Output::Form::kWide,
          .with_namespace = server_.all_namespaces() && resource.namespaced,
          .prefix = prefix ? resource.title("") : ""};
}

std::vector<std::pair<const Target*, Json>> Get::fetch_all(const std::vector<Target>& targets, int& status) {
  std::vector<std::pair<const Target*, Json>> answers;
  for (const Target& target : targets) {
    auto answer = server_.fetch(path_of(target), accept());
    if (answer) {
      answers.emplace_back(&target, *std::move(answer));
    } else {
      status = report("get", answer.error());
    }
  }
  return answers;
}

// Objects of one kind that follow each other share a table.
void Get::print_tables(const std::vector<std::pair<const Target*, Json>>& answers) {
  const bool mixed = answers.front().first->resource.plural != answers.back().first->resource.plural;
  bool first = true;
  for (std::size_t i = 0; i < answers.size();) {
    const Resource& resource = answers[i].first->resource;
    show::Table table;
    for (; i < answers.size() && answers[i].first->resource.plural == resource.plural; ++i) {
      definitions_ = answers[i].second.value("columnDefinitions", Json());
      show::Table part =
          show::read_table(answers[i].second, table_options(resource, mixed), server_.clock().wall());
      table.heads = std::move(part.heads);
      table.rows.insert(table.rows.end(), part.rows.begin(), part.rows.end());
    }
    if (table.rows.empty()) continue;
    if (!std::exchange(first, false)) {
      std::cout << '\n';
      columns_ = {};
    }
    std::cout << columns_.print(table, !options_.no_headers);
    heads_printed_ = true;
  }
  if (first && !options_.watch) {
    const bool everywhere = server_.all_namespaces() || !answers.front().first->resource.namespaced;
    std::cerr << "No resources found"
              << (everywhere ? std::string() : " in " + server_.namespace_() + " namespace") << '\n';
  }
}

void Get::print_names(const Resource& resource, const Json& answer) {
  const Json* items = resource::find_array(answer, "items");
  if (items == nullptr) {
    std::cout << resource.title(text(answer, "metadata.name")) << '\n';
    return;
  }
  for (const Json& item : *items) std::cout << resource.title(text(item, "metadata.name")) << '\n';
}

// One object as it is; several as one List.
void Get::print_whole(const std::vector<std::pair<const Target*, Json>>& answers, bool list) {
  if (answers.size() == 1 && !list) {
    std::cout << output_.print(answers.front().second);
    return;
  }
  Json all{{"apiVersion", "v1"},
           {"items", Json::array()},
           {"kind", "List"},
           {"metadata", {{"resourceVersion", ""}}}};
  for (const auto& [target, answer] : answers) {
    const Json* items = resource::find_array(answer, "items");
    if (items == nullptr) all["items"].push_back(answer);
    for (std::size_t i = 0; items != nullptr && i < items->size(); ++i) {
      Json item = (*items)[i];
      // Lists leave out what all items share.
      const Resource& resource = target->resource;
      if (!item.contains("kind")) item["kind"] = resource.kind;
      if (!item.contains("apiVersion"))
        item["apiVersion"] =
            resource.group.empty() ? resource.version : resource.group + "/" + resource.version;
      all["items"].push_back(std::move(item));
    }
  }
  std::cout << output_.print(std::move(all));
}

int Get::run(const std::vector<Target>& targets) {
  int status = 0;
  const auto answers = fetch_all(targets, status);
  if (answers.empty()) return status;
  if (output_.is_table()) {
    print_tables(answers);
  } else if (output_.form == Output::Form::kName) {
    for (const auto& [target, answer] : answers) print_names(target->resource, answer);
  } else if (!options_.watch || !lists(targets)) {
    print_whole(answers, lists(targets));
  }
  std::cout << std::flush;
  if (!options_.watch) return status;
  const auto watched =
      watch(*answers.front().first, text(answers.front().second, "metadata.resourceVersion"));
  return watched ? status : report("get", watched.error());
}

Result<void> Get::watch(const Target& target, std::string revision) {
  constexpr Duration kServed = std::chrono::minutes(30);
  const std::string name = target.name.empty() ? options_.field_selector : "metadata.name=" + target.name;
  const std::string_view space = target.name.empty() ? server_.list_namespace() : server_.namespace_();
  while (true) {
    remote::ApiRequest request;
    request.accept = accept();
    request.target = target.resource.path(space) + query_text({{"watch", "true"},
                                                               {"resourceVersion", revision},
                                                               {"labelSelector", options_.selector},
                                                               {"fieldSelector", name}});
    const auto stream = server_.api().open(request, kServed);
    if (!stream) return tl::unexpected(stream.error());
    std::string pending;
    while (true) {
      const auto piece = (*stream)->read(std::chrono::seconds(10));
      if (!piece || (*piece && (*piece)->empty())) break;  // goes on from the last revision
      if (!*piece) continue;
      pending += **piece;
      for (std::size_t end; (end = pending.find('\n')) != std::string::npos; pending.erase(0, end + 1)) {
        const auto printed = print_event(target, std::string_view(pending).substr(0, end), revision);
        if (!printed) return printed;
      }
      std::cout << std::flush;
    }
  }
}

Result<void> Get::print_event(const Target& target, std::string_view line, std::string& revision) {
  const auto event = resource::parse_json(line, kEventMax);
  if (!event || !event->is_object() || !event->contains("object"))
    return fail(Code::kUnavailable, "the API server sends a watch event that cannot be read");
  const Json& object = (*event)["object"];
  const std::string type = text(*event, "type");
  if (type == "ERROR") return fail(Code::kGone, text(object, "message", "the watch has ended"));
  if (type == "BOOKMARK") return {};
  const Json* rows = resource::find_array(object, "rows");
  const Json empty = Json::object();
  const Json& shown = rows == nullptr ? object : rows->empty() ? empty : rows->front();
  const std::string at =
      text(shown, rows == nullptr ? "metadata.resourceVersion" : "object.metadata.resourceVersion");
  if (!at.empty()) revision = at;
  if (output_.is_table()) {
    Json whole = object;
    const Json* columns = resource::find_array(object, "columnDefinitions");
    if (rows != nullptr && (columns == nullptr || columns->empty()))
      whole["columnDefinitions"] = definitions_;
    const show::Table table =
        show::read_table(whole, table_options(target.resource, false), server_.clock().wall());
    std::cout << columns_.print(table, !options_.no_headers && !std::exchange(heads_printed_, true));
  } else if (output_.form == Output::Form::kName) {
    print_names(target.resource, object);
  } else {
    if (output_.form == Output::Form::kYaml) std::cout << "---\n";
    std::cout << output_.print(object);
  }
  return {};
}

int run_get(const Options& options) {
  auto output = Output::parse(options.output);
  if (!output) {
    report("get", output.error());
    return 2;
  }
  const auto server = Server::reach(options.server);
  if (!server) return report("get", server.error());
  const auto targets = targets_of(**server, options.words);
  if (!targets) return report("get", targets.error());
  if (options.watch && targets->size() != 1) {
    report("get", {Code::kInvalid, "", "-w watches one kind or one object; name just one"});
    return 2;
  }
  return Get(**server, options, *std::move(output)).run(*targets);
}

}  // namespace

void add_get(Command app, int& status) {
  Command verb = app.add_subcommand("get", "Shows objects of an API server");
  auto options = std::make_shared<Options>();
  verb.add_option("WHAT", options->words, "KIND, KIND NAME..., KIND/NAME..., KIND,KIND").required();
  add_server_flags(verb, options->server, Namespaces::kOneOrAll);
  verb.add_option("-l,--selector", options->selector, "Only those with these labels: a=b,c!=d");
  verb.add_option("--field-selector", options->field_selector, "Only those with these fields: a.b=c");
  verb.add_option("-o,--output", options->output, kOutputHelp);
  verb.add_flag("-w,--watch", options->watch, "Goes on with every change");
  verb.add_flag("--no-headers", options->no_headers, "Without the line of column names");
  verb.callback([options, &status] { status = run_get(*options); });
}

}  // namespace tidegate::cli
