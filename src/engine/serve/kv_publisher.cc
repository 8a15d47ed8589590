#include "engine/serve/kv_publisher.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

namespace tidegate::serve {
namespace {

constexpr std::string_view kMedium = "GPU";  // where the model computes, whatever that is
constexpr std::size_t kReplayQueueMin = 1000;
constexpr Duration kLook = std::chrono::seconds(60);

kvwire::Event event_of(const batch::CacheEvent& event, const lora::Residency& adapters,
                       std::size_t block_tokens) {
  using Kind = kv::BlockPool::Event::Kind;
  if (event.kind == Kind::kCleared) return kvwire::AllBlocksCleared{};
  std::vector<std::uint64_t> hashes;
  for (const kv::BlockHash& hash : event.blocks) hashes.push_back(hash.low64());
  if (event.kind == Kind::kRemoved) return kvwire::BlockRemoved{std::move(hashes), std::string(kMedium), 0};
  kvwire::BlockStored stored;
  stored.hashes = std::move(hashes);
  if (event.parent) stored.parent = event.parent->low64();
  stored.tokens.assign(event.tokens.begin(), event.tokens.end());
  stored.block_tokens = static_cast<std::uint32_t>(block_tokens);
  if (event.adapter != lora::kBase) {
    stored.lora_id = event.adapter;
    stored.lora_name = adapters.name(event.adapter);
  }
  stored.medium = kMedium;
  stored.salt = event.salt;
  return stored;
}

// vLLM's rule; besides, a pod's own address stands where its manifest had a wildcard.
bool is_ours(const std::string& endpoint) {
  if (endpoint.find('*') != std::string::npos || endpoint.find("::") != std::string::npos ||
      endpoint.starts_with("ipc://")) {
    return true;
  }
  const char* const pod_ip = std::getenv("TIDEGATE_POD_IP");
  return pod_ip != nullptr && endpoint.starts_with("tcp://" + std::string(pod_ip) + ":");
}

Result<kvwire::Socket> open(const std::shared_ptr<kvwire::Context>& context, kvwire::Socket::Type type,
                            std::size_t queue_max, const std::string& endpoint, bool bind) {
  auto socket = kvwire::Socket::make(context, type, {.queue_max = static_cast<int>(queue_max)});
  if (!socket) return socket;
  const auto opened = bind ? socket->bind(endpoint) : socket->connect(endpoint);
  if (!opened) return tl::unexpected(opened.error());
  return socket;
}

}  // namespace

kvwire::Batch batch_of(const std::vector<batch::CacheEvent>& events, const lora::Residency& adapters,
                       std::size_t block_tokens, WallTime now) {
  kvwire::Batch batch;
  batch.time = std::chrono::duration<double>(now.time_since_epoch()).count();
  for (const batch::CacheEvent& event : events)
    batch.events.push_back(event_of(event, adapters, block_tokens));
  return batch;
}

Result<std::unique_ptr<KvPublisher>> KvPublisher::make(const KvEvents& config) {
  auto context = kvwire::Context::make();
  if (!context) return tl::unexpected(context.error());
  auto socket =
      open(*context, kvwire::Socket::Type::kPublish, config.hwm, config.endpoint, is_ours(config.endpoint));
  if (!socket) return tl::unexpected(socket.error());
  std::optional<kvwire::Socket> replay;
  if (!config.replay_endpoint.empty()) {
    // A whole replay waits there at once, and what does not fit is lost.
    auto made = open(*context, kvwire::Socket::Type::kRouter,
                     std::max(kReplayQueueMin, config.buffer_steps + 1), config.replay_endpoint, true);
    if (!made) return tl::unexpected(made.error());
    replay = *std::move(made);
  }
  const int wake_fd = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (wake_fd < 0) return fail(Code::kInternal, "no eventfd for the publisher of KV events");
  return std::unique_ptr<KvPublisher>(
      new KvPublisher(config, *std::move(socket), std::move(replay), wake_fd));
}

KvPublisher::KvPublisher(const KvEvents& config, kvwire::Socket socket, std::optional<kvwire::Socket> replay,
                         int wake_fd)
    : config_(config),
      socket_(std::move(socket)),
      replay_(std::move(replay)),
      wake_fd_(wake_fd),
      thread_([this] { run(); }) {}

KvPublisher::~KvPublisher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake();
  thread_.join();
  ::close(wake_fd_);
}

void KvPublisher::wake() const {
  const std::uint64_t one = 1;
  static_cast<void>(!::write(wake_fd_, &one, sizeof one));
}

void KvPublisher::publish(kvwire::Batch batch) {
  bool first = false;
  {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = next_++;
    if (waiting_.size() >= std::max<std::size_t>(1, config_.max_queue_size)) return;
    first = waiting_.empty();
    waiting_.push_back({number, std::move(batch)});
  }
  if (first) wake();
}

void KvPublisher::run() {
  std::vector<bool> readable;
  std::vector<std::string> question;
  while (true) {
    const kvwire::Socket* const replay = replay_ ? &*replay_ : nullptr;
    kvwire::poll({&replay, replay_ ? 1U : 0U}, wake_fd_, kLook, readable);
    std::uint64_t wakes = 0;
    static_cast<void>(!::read(wake_fd_, &wakes, sizeof wakes));
    std::vector<Numbered> batches;
    bool stopping = false;
    {
      const std::lock_guard lock(mutex_);
      batches.swap(waiting_);
      stopping = stopping_;
    }
    for (const Numbered& numbered : batches) send(numbered);
    // After what has happened: an answer that ends here ends with all that was told.
    if (replay_) {
      while (replay_->receive(question)) answer_replay(question);
    }
    if (stopping) return;
  }
}

void KvPublisher::send(const Numbered& numbered) {
  std::string payload = kvwire::encode(numbered.batch);
  const std::string number = kvwire::sequence_frame(numbered.number);
  const std::array<std::string_view, 3> frames = {config_.topic, number, payload};
  socket_.send(frames);
  if (!replay_ || config_.buffer_steps == 0) return;
  if (kept_.size() >= config_.buffer_steps) kept_.pop_front();
  kept_.push_back({numbered.number, std::move(payload)});
}

void KvPublisher::answer_replay(const std::vector<std::string>& question) {
  if (question.size() != 3) return;
  const auto from = kvwire::sequence_of(question[2]);
  if (!from) return;
  for (const Kept& kept : kept_) {
    if (kept.number < *from) continue;
    const std::string number = kvwire::sequence_frame(kept.number);
    const std::array<std::string_view, 4> frames = {question[0], "", number, kept.payload};
    replay_->send(frames);
  }
  const std::string end = kvwire::sequence_frame(kvwire::kReplayEnd);
  const std::array<std::string_view, 4> frames = {question[0], "", end, ""};
  replay_->send(frames);
}

}  // namespace tidegate::serve
