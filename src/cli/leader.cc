#include "cli/leader.h"

#include <unistd.h>

#include <array>

#include "base/random.h"
#include "gateway/config.h"

namespace tidegate::cli {
namespace {

Result<Duration> duration_of(const char* flag, const std::string& text) {
  const auto duration = gateway::parse_duration(text);
  if (!duration) return invalid(flag, "is \"" + text.substr(0, 40) + "\"; use a duration like 15s or 500ms");
  return *duration;
}

Result<election::Settings> settings_of(const LeaderFlags& flags) {
  election::Settings settings = flags.settings;
  const auto lease = duration_of("--leader-elect-lease-duration", flags.lease);
  if (!lease) return tl::unexpected(lease.error());
  const auto renew = duration_of("--leader-elect-renew-deadline", flags.renew_deadline);
  if (!renew) return tl::unexpected(renew.error());
  const auto retry = duration_of("--leader-elect-retry-period", flags.retry);
  if (!retry) return tl::unexpected(retry.error());
  settings.lease = *lease;
  settings.renew_deadline = *renew;
  settings.retry = *retry;
  if (const auto good = election::check(settings); !good) return tl::unexpected(good.error());
  return settings;
}

// As client-go's programs name themselves: where it runs, and which start of it.
std::string identity(Random& random) {
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host[0] = '\0';
  return std::string(host.data()) + "_" + random_uuid(random);
}

}  // namespace

void add_leader_flags(Command verb, LeaderFlags& flags) {
  verb.add_flag("--leader-elect", flags.elect,
                "Of several that name one Lease, only the one that holds it acts; --leader-elect=false: act "
                "at once")
      .default_str("true");
  verb.add_option("--leader-elect-resource-namespace", flags.settings.namespace_, "Namespace of that Lease")
      .capture_default_str();
  verb.add_option("--leader-elect-resource-name", flags.settings.name,
                  "Its name: another one for controllers that share no loop")
      .capture_default_str();
  verb.add_option("--leader-elect-lease-duration", flags.lease,
                  "How long others wait for a leader that renews no more")
      .capture_default_str();
  verb.add_option("--leader-elect-renew-deadline", flags.renew_deadline,
                  "How long a leader that cannot renew goes on before it ends itself")
      .capture_default_str();
  verb.add_option("--leader-elect-retry-period", flags.retry, "Between two looks at the Lease")
      .capture_default_str();
}

Result<void> check(const LeaderFlags& flags) {
  if (!flags.elect) return {};
  const auto settings = settings_of(flags);
  if (!settings) return tl::unexpected(settings.error());
  return {};
}

Result<std::unique_ptr<Candidacy>> Candidacy::stand(const LeaderFlags& flags, const ServerFlags& where) {
  auto candidacy = std::make_unique<Candidacy>();
  if (!flags.elect) return candidacy;
  auto settings = settings_of(flags);
  if (!settings) return tl::unexpected(settings.error());
  auto server = Server::reach(where, Fallback::kInCluster, settings->renew_deadline / 2);
  if (!server) return tl::unexpected(server.error());
  candidacy->server_ = *std::move(server);
  Random random = Random::from_system();
  settings->identity = identity(random);
  candidacy->elector_ = std::make_unique<election::Elector>(
      candidacy->server_->client(), candidacy->server_->clock(), random, *std::move(settings));
  return candidacy;
}

void Candidacy::end(bool lost) {
  if (elector_ == nullptr) return;
  if (lost) server_->api().stop();
  elector_->stop();
}

}  // namespace tidegate::cli
