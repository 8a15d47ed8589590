#include "control/election/elector.h"

#include <nlohmann/json.hpp>

#include "base/log.h"

namespace tidegate::election {
namespace {

constexpr double kJitter = 1.2;

cluster::Key key_of(const Settings& settings) { return {settings.namespace_, settings.name}; }

std::string advice(const Error& error) {
  if (error.code == Code::kForbidden) {
    return "; grant get, create and update of leases in coordination.k8s.io (deploy/rbac.yaml), or run one "
           "controller with --leader-elect=false";
  }
  if (error.code == Code::kNotFound)
    return "; name a namespace that exists with --leader-elect-resource-namespace";
  return {};
}

}  // namespace

Elector::Elector(cluster::Client& client, const Clock& clock, Random random, Settings settings)
    : client_(client),
      clock_(clock),
      random_(random),
      settings_(std::move(settings)),
      kind_(*resource::find_kind("coordination.k8s.io/v1", "Lease")),
      events_(client, clock),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

bool Elector::leads() const {
  const std::int64_t renewed = renewed_ns_.load();
  return renewed >= 0 && clock_.now() < TimePoint(Duration(renewed)) + settings_.renew_deadline;
}

void Elector::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  release();
}

void Elector::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    attempt();
    never_.wait(pause(), stop);
  }
}

// Candidates spread out; who leads keeps time.
Duration Elector::pause() {
  if (renewed_ns_ >= 0) return settings_.retry;
  return std::chrono::duration_cast<Duration>(settings_.retry * (1 + kJitter * random_.unit()));
}

void Elector::attempt() {
  const TimePoint began = clock_.now();
  const auto lease = client_.get(kind_, key_of(settings_));
  if (!lease && lease.error().code != Code::kNotFound) {
    tell("cannot read the lease: " + describe(lease.error()) + advice(lease.error()));
    return;
  }
  const resource::Object* object = lease ? lease->get() : nullptr;
  seen_ = observe(seen_, object, clock_.now());
  const Attempt attempt = decide(settings_, object, seen_, clock_.now(), clock_.wall());
  if (attempt.verb != Attempt::Verb::kWait) return write(attempt, began);
  if (renewed_ns_.exchange(-1) >= 0 && object != nullptr)
    events_.note(cluster::normal(*object, "LeaderElection", settings_.identity + " stopped leading")
                     .from("tidegate-controller"));
  tell("waits: " + seen_.record.holder + " leads");
}

void Elector::write(const Attempt& attempt, TimePoint began) {
  const auto written = attempt.verb == Attempt::Verb::kCreate ? client_.create(kind_, *attempt.document)
                                                              : client_.update(kind_, *attempt.document);
  if (written) return won(**written, began);
  // Somebody was faster; the next look shows who.
  if (written.error().code == Code::kConflict) return;
  tell("cannot write the lease: " + describe(written.error()) + advice(written.error()));
}

void Elector::won(const resource::Object& lease, TimePoint began) {
  seen_ = observe(seen_, &lease, clock_.now());
  const bool before = renewed_ns_ >= 0;
  renewed_ns_ = began.time_since_epoch().count();
  tell("leads");
  if (!before)
    events_.note(cluster::normal(lease, "LeaderElection", settings_.identity + " became leader")
                     .from("tidegate-controller"));
}

void Elector::release() {
  if (renewed_ns_.exchange(-1) < 0) return;
  const auto lease = client_.get(kind_, key_of(settings_));
  if (!lease) return;
  const resource::Json document = released(settings_, **lease, clock_.wall());
  // Where this fails the next one waits until the lease has run out.
  if (!document.is_null()) (void)client_.update(kind_, document);
}

void Elector::tell(const std::string& what) {
  if (what == told_) return;
  told_ = what;
  log::info("election", what, {{"lease", key_of(settings_).text()}, {"identity", settings_.identity}});
}

}  // namespace tidegate::election
