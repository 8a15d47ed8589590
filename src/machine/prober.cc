#include "machine/prober.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/ascii.h"
#include "net/stream.h"
#include "net/tls.h"

namespace tidegate::machine {
namespace {

// What a kubelet reads of an answer at most.
constexpr std::size_t kAnswerMax = 10 * 1024;

bool fits_in_a_line(std::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; });
}

// Empty if something in the probe cannot be written into a request.
std::string request_text(const ProbePlan& plan, const std::string& host) {
  std::string text = "GET " + plan.path + " HTTP/1.1\r\n";
  bool has_host = false;
  bool fits = fits_in_a_line(plan.path) && plan.path.find(' ') == std::string::npos;
  for (const auto& [name, value] : plan.headers) {
    fits = fits && fits_in_a_line(name) && fits_in_a_line(value);
    has_host = has_host || name == "Host" || name == "host";
    text += name + ": " + value + "\r\n";
  }
  if (!has_host) text += "Host: " + host + ":" + std::to_string(plan.port) + "\r\n";
  text += "User-Agent: kube-probe/1.32\r\nAccept: */*\r\nConnection: close\r\n\r\n";
  return fits ? text : std::string();
}

net::Task<Result<void>> shake_hands(net::Stream& stream, std::string host, TimePoint deadline) {
  static const Result<std::shared_ptr<net::TlsClient>> client = net::TlsClient::make({.trust_anyone = true});
  if (!client) co_return tl::unexpected(client.error());
  co_return co_await stream.connect_tls(**client, std::move(host), deadline);
}

net::Task<ProbeResult> read_answer(net::Stream& stream) {
  std::string answer;
  std::array<char, 2048> buffer;
  while (answer.size() < kAnswerMax) {
    auto got = co_await stream.read_some(buffer.data(), buffer.size());
    if (!got && answer.empty()) co_return ProbeResult{false, got.error().message};
    if (!got || *got == 0) break;
    answer.append(buffer.data(), *got);
    if (is_whole_answer(answer)) break;
  }
  const int status = status_of_line(std::string_view(answer).substr(0, answer.find("\r\n")));
  if (status == 0) co_return ProbeResult{false, "the answer is not HTTP"};
  if (status >= 200 && status < 400) co_return ProbeResult{true, {}};
  co_return ProbeResult{false, "HTTP probe failed with statuscode: " + std::to_string(status)};
}

}  // namespace

int status_of_line(std::string_view line) {
  if (!line.starts_with("HTTP/1.") || line.size() < 12 || line[8] != ' ') return 0;
  int status = 0;
  const auto [end, error] = std::from_chars(line.data() + 9, line.data() + 12, status);
  return error == std::errc{} && end == line.data() + 12 && status >= 100 ? status : 0;
}

bool is_whole_answer(std::string_view answer) {
  const std::size_t end = answer.find("\r\n\r\n");
  if (end == std::string_view::npos) return false;
  const int status = status_of_line(answer.substr(0, answer.find("\r\n")));
  if (status == 204 || status == 304) return true;
  const std::string head = ascii::to_lower(answer.substr(0, end + 2));
  const std::string_view body = answer.substr(end + 4);
  if (head.find("\r\ntransfer-encoding:") != std::string::npos) return body.ends_with("0\r\n\r\n");
  constexpr std::string_view kLength = "\r\ncontent-length:";
  const std::size_t at = head.find(kLength);
  if (at == std::string::npos) return false;  // it ends with the connection
  const std::string_view rest = std::string_view(head).substr(at + kLength.size());
  const std::string_view digits = ascii::trim(rest.substr(0, rest.find("\r\n")));
  std::size_t length = 0;
  const auto [last, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  return error == std::errc{} && last == digits.data() + digits.size() && body.size() >= length;
}

net::Task<ProbeResult> probe_network(net::Loop& loop, ProbePlan plan, std::string pod_ip) {
  const std::string host = plan.host.empty() ? pod_ip : plan.host;
  if (plan.port == 0)
    co_return ProbeResult{false, "the probe's port has no number: no container port of that name"};
  const auto address = net::Address::parse(host, plan.port);
  if (!address) co_return ProbeResult{false, "the probe's host must be an IP address here: " + host};
  const TimePoint deadline = loop.now() + plan.timeout;
  auto stream = co_await net::Stream::connect(loop, *address, deadline);
  if (!stream) co_return ProbeResult{false, stream.error().message};
  if (plan.kind == ProbeKind::kTcp) co_return ProbeResult{true, {}};
  const std::string request = request_text(plan, host);
  if (request.empty())
    co_return ProbeResult{false, "the probe's path or headers hold characters that HTTP forbids"};
  if (plan.secure) {
    const Result<void> shaken = co_await shake_hands(*stream, host, deadline);
    if (!shaken) co_return ProbeResult{false, shaken.error().message};
  }
  stream->set_deadline(deadline);
  auto sent = co_await stream->write_all(request);
  if (!sent) co_return ProbeResult{false, sent.error().message};
  co_return co_await read_answer(*stream);
}

}  // namespace tidegate::machine
