// The endpoints that exist now, and what their engines say of themselves.
//
// For each engine the fleet reads /metrics every `scrape_interval` over a connection it keeps, and /v1/models
// now and then, and puts what it finds into the endpoint's Live, where the workers' pickers read it. An
// engine that stops answering is taken out after two failures in a row; its last numbers fade (pick), traffic
// goes on elsewhere.
//
// Thread: the loop it was made on, except live objects, which anyone may use.

#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "gateway/dialect/adapter_words.h"
#include "gateway/dialect/answer.h"
#include "gateway/dialect/scrape.h"
#include "gateway/fleet/live.h"
#include "gateway/upstream/connection.h"
#include "net/buffer_pool.h"
#include "net/loop.h"
#include "net/task.h"

namespace tidegate::fleet {

struct Options {
  Duration scrape_interval = std::chrono::milliseconds(100);
  Duration scrape_timeout = std::chrono::seconds(1);
  Duration models_interval = std::chrono::seconds(5);
  flow::GateLimits gate;
  std::size_t page_bytes_max = 4 * 1024 * 1024;
  Guard guard = {};
};

// An endpoint as the snapshot names it.
struct Wanted {
  std::string key;
  std::string address;
  std::uint32_t adapter_slots = 0;    // 0: not said
  bool scraped = true;                // an engine; a Service's endpoints are not asked anything
  std::string name = {};              // Live::name
  upstream::SecuredPtr secured = {};  // null: plain text
  dialect::Engine engine = dialect::Engine::kUnknown;  // as its users say; unknown: it is found out
};

class Fleet {
 public:
  // `changed` is called when the models that some endpoint serves, or its health, have changed.
  // Endpoints get a place in `prefixes`, if there is one; it outlives every Live.
  Fleet(net::Loop& loop, Options options, std::function<void()> changed,
        pick::PrefixIndex* prefixes = nullptr);
  ~Fleet();  // requires: stopped

  // From now on exactly these exist. Those that remain keep their Live. An address that cannot be read is
  // left out.
  void set(std::span<const Wanted> wanted);

  // Null if it does not exist.
  std::shared_ptr<Live> find(const std::string& key) const;

  // What the engine last said it serves; null if it has not said yet.
  std::shared_ptr<const std::vector<dialect::ServedModel>> served(const std::string& key) const;

  // How its engine wants to be asked for adapters; null: by the model's name, or not known yet.
  std::shared_ptr<const dialect::AdapterWords> adapter_words(const std::string& key) const;

  struct Row {
    std::string key;
    std::string address;
    bool healthy;
    pick::EndpointFacts facts;
    std::uint32_t adapters_resident;
    std::uint64_t scrapes_failed;
    Breaker::State breaker;
    bool hangs;
    std::uint64_t ejections;
    dialect::Engine engine;
    pick::PrefixId prefix_id;
  };
  // For the stats page.
  std::vector<Row> rows() const;

  // Ends all scraping; returns when it has ended.
  net::Task<void> stop();

 private:
  struct Watched;
  net::Task<void> watch(std::shared_ptr<Watched> watched);
  net::Task<bool> scrape(Watched& watched);
  void take_out(Watched& watched, const Error& why);
  net::Task<void> read_models(Watched& watched);
  net::Task<std::vector<dialect::LoraFile>> read_lora_files(Watched& watched);
  net::Task<Result<int>> fetch(Watched& watched, std::string_view path);
  net::Task<Result<int>> fetch_once(Watched& watched, std::string_view path);

  net::Loop& loop_;
  Options options_;
  std::function<void()> changed_;
  pick::PrefixIndex* prefixes_;
  net::BufferPool buffers_;
  http::HeadLimits head_limits_;
  std::unordered_map<std::string, std::shared_ptr<Watched>> watched_;
  net::TaskGroup tasks_;
};

}  // namespace tidegate::fleet
