#include "gateway/tls_plan.h"

#include <algorithm>
#include <set>
#include <utility>

#include "net/certificate.h"

namespace tidegate::gateway {
namespace {

// A name that nobody asks for: the entry serves only as the default, or by further names.
constexpr const char* kNoName = "*.invalid.";

bool is_any(const TlsPart& part) {
  return part.hosts.empty() || std::ranges::find(part.hosts, std::string()) != part.hosts.end();
}

bool covers(const std::string& host, const std::string& name) {
  if (host == name) return true;
  return host.starts_with("*.") && name.size() > host.size() - 1 && name.ends_with(host.substr(1));
}

// Which names the part's n-th certificate answers. The first has the part's own hosts; the others are chosen
// by what they say of themselves, within those hosts.
std::vector<std::string> names_of(const TlsPart& part, std::size_t index,
                                  const std::set<std::string>& taken) {
  std::vector<std::string> names;
  if (index == 0) {
    for (const std::string& host : part.hosts) names.push_back(host.empty() ? kNoName : host);
  }
  if (part.certificates.size() > 1) {
    const auto facts = net::read_certificate(part.certificates[index].certificate_pem);
    if (facts) {
      for (const std::string& name : facts->dns_names) {
        const bool within = is_any(part) || std::ranges::any_of(part.hosts, [&](const std::string& host) {
                              return covers(host, name);
                            });
        if (within && !taken.contains(name)) names.push_back(name);
      }
    }
  }
  if (names.empty()) names.emplace_back(kNoName);
  return names;
}

}  // namespace

TlsPlan plan_of(const std::vector<TlsPart>& parts) {
  TlsPlan plan;
  std::set<std::string> taken;
  bool any = false;
  for (const TlsPart& part : parts) {
    any = any || is_any(part);
    for (const std::string& host : part.hosts) taken.insert(host);
  }
  // The default stands first.
  std::vector<const TlsPart*> order;
  for (const TlsPart& part : parts) order.push_back(&part);
  std::ranges::stable_sort(order,
                           [](const TlsPart* a, const TlsPart* b) { return is_any(*a) && !is_any(*b); });
  for (const TlsPart* part : order) {
    for (std::size_t i = 0; i < part->certificates.size(); ++i) {
      plan.options.entries.push_back({.names = names_of(*part, i, taken),
                                      .certificate = part->certificates[i],
                                      .clients = part->clients,
                                      .clients_authorities_pem = part->clients_authorities_pem});
    }
    plan.strict_names = plan.strict_names || part->clients != parts.front().clients ||
                        part->clients_authorities_pem != parts.front().clients_authorities_pem;
  }
  plan.options.refuse_unknown_names = !any;
  return plan;
}

bool same(const net::TlsServerOptions& a, const net::TlsServerOptions& b) {
  const auto equal = [](const net::TlsServerOptions::Entry& x, const net::TlsServerOptions::Entry& y) {
    return x.names == y.names && x.certificate.certificate_pem == y.certificate.certificate_pem &&
           x.certificate.key_pem == y.certificate.key_pem && x.clients == y.clients &&
           x.clients_authorities_pem == y.clients_authorities_pem;
  };
  return a.refuse_unknown_names == b.refuse_unknown_names && std::ranges::equal(a.entries, b.entries, equal);
}

}  // namespace tidegate::gateway
