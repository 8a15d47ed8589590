#include "gateway/route/filters.h"

#include <array>

namespace tidegate::route {

HeaderEdit* HeaderEdits::find(std::string_view name) {
  const auto found = std::ranges::find_if(
      edits_, [&](const HeaderEdit& edit) { return ascii::equals_ignoring_case(edit.name, name); });
  return found == edits_.end() ? nullptr : &*found;
}

void HeaderEdits::set(const std::string& name, const std::string& value) {
  if (HeaderEdit* known = find(name)) {
    *known = {name, false, {value}};
  } else {
    edits_.push_back({name, false, {value}});
  }
}

void HeaderEdits::add(const std::string& name, const std::string& value) {
  if (HeaderEdit* known = find(name)) {
    known->values.push_back(value);
  } else {
    edits_.push_back({name, true, {value}});
  }
}

void HeaderEdits::remove(const std::string& name) {
  if (HeaderEdit* known = find(name)) {
    *known = {name};
  } else {
    edits_.push_back({name});
  }
}

HeaderEdits HeaderEdits::joined(const HeaderEdits& later) const {
  HeaderEdits result = *this;
  for (const HeaderEdit& edit : later.edits_) {
    if (!edit.keeps) result.remove(edit.name);
    for (const std::string& value : edit.values) result.add(edit.name, value);
  }
  return result;
}

bool frames_messages(std::string_view header_name) {
  static constexpr std::array<std::string_view, 9> kFraming = {
      "connection",        "content-length", "keep-alive", "proxy-connection", "te", "trailer",
      "transfer-encoding", "upgrade",        "expect"};
  return std::ranges::any_of(
      kFraming, [&](std::string_view name) { return ascii::equals_ignoring_case(name, header_name); });
}

std::string edited(const PathEdit& edit, std::string_view target, std::string_view prefix) {
  const std::size_t mark = std::min(target.find('?'), target.size());
  const std::string_view query = target.substr(mark);
  std::string result;
  switch (edit.kind) {
    case PathEdit::kKeep:
      return std::string(target);
    case PathEdit::kFull:
      result = edit.value;
      break;
    case PathEdit::kPrefix: {
      std::string_view rest = target.substr(0, mark);
      rest.remove_prefix(std::min(prefix.size(), rest.size()));
      result = edit.value;
      while (result.ends_with('/')) result.pop_back();
      result += rest;
      break;
    }
  }
  if (!result.starts_with('/')) result.insert(result.begin(), '/');
  return result.append(query);
}

std::string location(const Redirect& redirect, const Origin& origin, std::string_view target,
                     std::string_view prefix) {
  const std::string_view own = origin.secure ? "https" : "http";
  const std::string_view scheme = redirect.scheme.empty() ? own : std::string_view(redirect.scheme);
  const std::uint16_t well_known = scheme == "https" ? 443 : 80;
  std::uint16_t port = redirect.port;
  if (port == 0) port = redirect.scheme.empty() ? origin.port : well_known;
  const std::string_view host = redirect.host.empty() ? origin.host : std::string_view(redirect.host);
  const bool six = host.find(':') != std::string_view::npos;
  std::string result(scheme);
  result.append("://").append(six ? "[" : "").append(host).append(six ? "]" : "");
  if (port != well_known) result.append(":").append(std::to_string(port));
  return result.append(edited(redirect.path, target, prefix));
}

FiltersPtr joined(const FiltersPtr& rule, const FiltersPtr& destination) {
  if (!destination) return rule;
  if (!rule) return destination;
  Filters both = *rule;
  both.request = rule->request.joined(destination->request);
  both.response = rule->response.joined(destination->response);
  if (destination->redirect) both.redirect = destination->redirect;
  if (destination->rewrite) both.rewrite = destination->rewrite;
  both.mirrors.insert(both.mirrors.end(), destination->mirrors.begin(), destination->mirrors.end());
  return std::make_shared<const Filters>(std::move(both));
}

}  // namespace tidegate::route
