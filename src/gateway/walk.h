// One request's way through the gateway, as the values that its stages hand on.
//
//   exchange.cc  reads facts, matches the route, resolves the model       -> Walk
//   forward.cc   asks admission, ranks endpoints, sends, tries again      -> Answer
//   relay.cc     turns the answer into the client's, counts beside it     -> End
//
// Thread: one worker's.

#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "gateway/config.h"
#include "gateway/dialect/api.h"
#include "gateway/dialect/body_facts.h"
#include "gateway/dialect/traits.h"
#include "gateway/fleet/live.h"
#include "gateway/guard/ledger.h"
#include "gateway/kvfeed/asker.h"
#include "gateway/listener/session.h"
#include "gateway/mirror.h"
#include "gateway/pick/prompt_lookup.h"
#include "gateway/pick/rank.h"
#include "gateway/probe.h"
#include "gateway/scratch.h"
#include "gateway/upstream/pool.h"
#include "gateway/usage/meter.h"
#include "gateway/view.h"
#include "gateway/waitroom.h"
#include "http/write.h"
#include "telemetry/access_log.h"
#include "telemetry/trace.h"

namespace tidegate::gateway {

// What all requests of one worker use.
struct Tools {
  net::Loop& loop;
  const Config& config;
  const Clock& clock;
  Random& random;
  upstream::Pool& upstream;
  pick::Picker& picker;
  pick::PromptLookup& prompts;
  kvfeed::Asker& asker;
  dialect::BodyReader& bodies;
  Probe& probe;
  telemetry::AccessLog* access_log;  // null: none
  std::size_t shard;
  http::DateText& date;
  Scratches& scratches;
  Mirrors& mirrors;
  Waitroom& waitroom;
  guard::Books& books;
};

struct Walk {
  Walk(Tools& the_tools, listener::Session& the_session, const listener::Request& the_request,
       std::shared_ptr<const View> the_view)
      : tools(the_tools),
        session(the_session),
        request(the_request),
        view(std::move(the_view)),
        meter(the_request.received) {}

  Tools& tools;
  listener::Session& session;
  const listener::Request& request;
  std::shared_ptr<const View> view;
  std::shared_ptr<const View> later_view;  // after a wait: whose endpoints are used

  // From the head.
  std::string_view host;
  std::string_view path;   // with its query, as sent on
  bool keep_alive = true;  // towards the client
  std::string request_id;
  std::optional<telemetry::TraceContext> trace;  // ours within the client's; none if it sent none
  dialect::Api api = dialect::Api::kOther;

  // From the route and the body.
  const route::Route* route = nullptr;
  const route::Filters* filters = nullptr;  // null: nothing is changed on the way
  std::string_view matched_prefix;          // of the path
  std::string edited_path;                  // what `path` shows when a filter changed it
  TimePoint ends = TimePoint::max();        // of the whole exchange
  Duration attempt_timeout{0};              // of one try of one endpoint; 0: none
  TimePoint attempt_ends = TimePoint::max();
  const Pool* pool = nullptr;
  const PoolView* live = nullptr;
  dialect::BodyFacts facts;
  bool facts_known = false;                 // the body has been read
  bool is_form = false;                     // it is multipart/form-data: the model's token has no quotes
  std::string model;                        // as the client names it
  const rewrite::Target* target = nullptr;  // null: the name goes on unchanged
  pick::Criticality criticality = pick::Criticality::kStandard;

  std::optional<std::int32_t> objective;    // the priority that a header asked for
  const guard::Client* client = nullptr;    // whose API key was shown; lives in the pool
  std::shared_ptr<guard::Account> account;  // where its tokens are counted; null: nowhere

  // While it is under way.
  bool client_gone = false;
  upstream::Connection* waiting_on = nullptr;  // aborted when the client leaves
  Waiter* waiter = nullptr;                    // likewise
  std::optional<Turn> turn;                    // that it waited for, to be settled at the end
  std::string_view endpoint;                   // that was asked last
  std::uint32_t retries = 0;
  std::uint64_t prefill_bytes = 0;  // of the prompt, that the endpoint asked last does not hold
  std::string_view flags;           // Envoy's response flags
  std::string_view reason;          // our word for a refusal, for the header and the log
  std::uint32_t retry_after_s = 0;
  int status = 0;  // sent to the client
  std::uint64_t bytes_sent = 0;
  bool begun = false;  // the head of a stream was sent while the request waited
  bool streamed = false;
  std::optional<TimePoint> sent_on;
  std::optional<TimePoint> answered;
  usage::Meter meter;

  // The answer is a redirect; nobody else is asked.
  bool redirects() const { return filters && filters->redirect; }

  // For a wait that begins now: the end of the exchange or of the attempt, whichever is nearer.
  TimePoint deadline(Duration wait) const { return std::min({tools.loop.now() + wait, ends, attempt_ends}); }

  // Of those that wait the higher goes first; below 0 nobody waits.
  std::int32_t priority() const {
    if (objective) return *objective;
    return criticality == pick::Criticality::kCritical   ? 1
           : criticality == pick::Criticality::kStandard ? 0
                                                         : -1;
  }

  // What the engine is asked for; also the label and the log's target model.
  std::string_view target_model() const {
    return target ? std::string_view(target->model) : std::string_view(model);
  }
};

// One request counted on one endpoint, from its sending to the end of its answer.
class Dispatch {
 public:
  Dispatch() = default;
  // `prefill_bytes` of its prompt are to be computed there.
  Dispatch(fleet::Live& live, TimePoint now, std::uint64_t prefill_bytes = 0)
      : cell_(&live.cell()), ticket_(cell_->dispatch()), prefill_bytes_(prefill_bytes), awaits_(true) {
    if (prefill_bytes_ > 0) cell_->add_prefill(prefill_bytes_);
    cell_->awaits(now);
    live.request_sent(now);
  }
  Dispatch(Dispatch&& other) noexcept
      : cell_(std::exchange(other.cell_, nullptr)),
        ticket_(other.ticket_),
        prefill_bytes_(std::exchange(other.prefill_bytes_, 0)),
        awaits_(std::exchange(other.awaits_, false)) {}
  Dispatch& operator=(Dispatch&& other) noexcept {
    end();
    cell_ = std::exchange(other.cell_, nullptr);
    ticket_ = other.ticket_;
    prefill_bytes_ = std::exchange(other.prefill_bytes_, 0);
    awaits_ = std::exchange(other.awaits_, false);
    return *this;
  }
  ~Dispatch() { end(); }

  // The answer's body has begun: the prompt is computed.
  void begun(TimePoint now) {
    end_prefill();
    if (cell_ && std::exchange(awaits_, false)) cell_->begun(now);
  }

 private:
  void end_prefill() {
    if (prefill_bytes_ > 0) cell_->end_prefill(std::exchange(prefill_bytes_, 0));
  }
  void end() {
    if (!cell_) return;
    end_prefill();
    if (std::exchange(awaits_, false)) cell_->gave_up();
    std::exchange(cell_, nullptr)->finish(ticket_);
  }
  pick::EndpointCell* cell_ = nullptr;
  pick::EndpointCell::Ticket ticket_ = 0;
  std::uint64_t prefill_bytes_ = 0;
  bool awaits_ = false;
};

// An endpoint's answer, its head read.
struct Answer {
  std::unique_ptr<upstream::Connection> connection;
  const http::Head* head = nullptr;  // lives in the connection
  fleet::Live* live = nullptr;
  Dispatch dispatch;
  dialect::Injected injected;  // what was asked for beyond the client's wishes
  std::string read_already;    // of its body, when it had to be looked at
  bool lacks_model = false;    // so its engine says
  bool body_complete = false;  // nothing of it remains in the connection
};

// Sends the request to the best endpoint, and to further ones while nothing has been answered.
// Fills in `answer`. Errors: kUnavailable (503, no endpoint or none reachable), kExhausted (429), kDeadline
// (504), kCancelled (client left).
net::Task<Result<void>> forward(Walk& walk, Answer& answer);

// Tells the endpoint's breaker how a request ended there, and the log if that opened or closed it.
void note_outcome(fleet::Live& live, bool succeeded, TimePoint now);

// Whose API key the request shows; null if the pool knows none such. Requires: the pool has keys.
const guard::Client* client_of(const Walk& walk, const Pool& pool);
// Who asks. Requires: the pool has keys. Errors: kUnauthorized.
Result<void> authenticate(Walk& walk);
// Whether that client may ask for this, and more of it. Errors: kForbidden, kExhausted.
Result<void> authorize(Walk& walk);
void charge(Walk& walk, const usage::Counted& counted);
bool is_credential(const http::Header& header);
// x-ratelimit-*, for the answer's head.
void append_limit_fields(std::string& out, const Walk& walk);

// ": " and why the pool's endpoints are out, as far as a BackendTLSPolicy has to do with it; else empty.
std::string tls_trouble(const Walk& walk);

// Waits until an endpoint is there or has room. Then walk.live is the newest view's. Errors: kUnavailable
// (503: no endpoint came, or none may be waited for), kExhausted (429), kCancelled (client left).
net::Task<Result<void>> wait_for_place(Walk& walk, bool no_endpoint);

// What the request did cost, to its tenant's account if it waited for its turn.
void settle_turn(Walk& walk, const usage::Counted& counted);

// To a client that waits for a stream: the head of one before the first, then a comment, which says nothing.
// False if the client is gone. From then on every answer is part of that stream.
net::Task<bool> send_comment(Walk& walk);

// Hands the answer to the client. True if the client's connection may carry another request.
net::Task<bool> relay(Walk& walk, Answer& answer);

// Answers by ourselves.
struct OwnAnswer {
  int status = 200;
  std::string_view content_type = "application/json";
  std::string_view body;
  std::uint32_t retry_after_s = 0;  // 0: no such header
  std::string_view allow;           // for 405
  std::string_view location;        // for redirects
};
net::Task<bool> respond(Walk& walk, OwnAnswer answer);
net::Task<bool> respond_error(Walk& walk, Error error, std::uint32_t retry_after_s = 0);

}  // namespace tidegate::gateway
