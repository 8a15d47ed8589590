// The module: the protocol's client over gRPC. The only file that sees gRPC's headers.

#include <grpcpp/grpcpp.h>

#include <array>
#include <fstream>
#include <iterator>
#include <mutex>

#include "control/externalgrpc/module.h"
#include "externalgrpc.grpc.pb.h"
#include "node.pb.h"

namespace tidegate::externalgrpc {
namespace {

namespace wire = clusterautoscaler::cloudprovider::v1::externalgrpc;
using Stub = wire::CloudProvider::Stub;

constexpr auto kCleanUp = std::chrono::seconds(1);
constexpr std::size_t kFileMax = 1 << 20;
constexpr int kMessageMax = 4 << 20;

std::string name_of(grpc::StatusCode code) {
  static constexpr std::array<const char*, 17> kNames = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const auto at = static_cast<std::size_t>(code);
  return at < kNames.size() ? kNames[at] : std::to_string(at);
}

// For people: "NodeGroupIncreaseSize: no more machines (RESOURCE_EXHAUSTED)".
std::string words(const char* call, const grpc::Status& status) {
  return std::string(call) + ": " + clean(status.error_message()) + " (" + name_of(status.error_code()) + ")";
}

void show(const Node& node, wire::ExternalGrpcNode& message) {
  message.set_providerid(node.provider_id);
  message.set_name(node.name);
  message.mutable_labels()->insert(node.labels.begin(), node.labels.end());
  message.mutable_annotations()->insert(node.annotations.begin(), node.annotations.end());
}

Instance read(const wire::Instance& message) {
  static constexpr std::array<InstanceState, 4> kStates = {
      InstanceState::kUnknown, InstanceState::kRunning, InstanceState::kCreating, InstanceState::kDeleting};
  Instance instance;
  instance.id = message.id();
  const auto state = static_cast<std::size_t>(message.status().instancestate());
  instance.state = state < kStates.size() ? kStates[state] : InstanceState::kUnknown;
  const auto& error = message.status().errorinfo();
  if (!error.errorcode().empty()) instance.error = clean(error.errorcode() + ": " + error.errormessage());
  return instance;
}

std::optional<Template> read_template(const wire::NodeGroupTemplateNodeInfoResponse& message) {
  tidegate::externalgrpc::node::Node node;
  if (!node.ParseFromString(message.nodebytes().empty() ? message.oldnode() : message.nodebytes())) return {};
  Template result;
  result.labels.insert(node.metadata().labels().begin(), node.metadata().labels().end());
  for (const auto& taint : node.spec().taints())
    result.taints.push_back({taint.key(), taint.value(), taint.effect()});
  const auto& amounts =
      node.status().allocatable().empty() ? node.status().capacity() : node.status().allocatable();
  for (const auto& [name, quantity] : amounts) result.capacity[name] = quantity.string();
  return result;
}

bool read_file(const std::string& path, std::string& into, std::string& error) {
  if (path.empty()) return true;
  std::ifstream file(path, std::ios::binary);
  into.assign(std::istreambuf_iterator<char>(file), {});
  if (file && !into.empty() && into.size() <= kFileMax) return true;
  error = "cannot read " + path + ", a PEM file that the pool names";
  return false;
}

}  // namespace

struct Session {
 public:
  explicit Session(Service service) : service_(std::move(service)) {}

  void talk(const Order& order, Answer& answer) {
    if (!connect(answer.error)) return;
    change(order, answer);
    if (!connect(answer.error)) return;
    answer.error = look(order, answer.group);
  }

  void clean_up() {
    const auto until = std::chrono::system_clock::now() + kCleanUp;
    if (const auto stub = this->stub()) {
      grpc::ClientContext context;
      context.set_deadline(until);
      wire::CleanupResponse response;
      stub->Cleanup(&context, {}, &response);
    }
  }

  void cancel() {
    const std::lock_guard held(mutex_);
    cancelled_ = true;
    if (current_ != nullptr) current_->TryCancel();
  }

 private:
  std::shared_ptr<Stub> stub() {
    const std::lock_guard held(mutex_);
    return stub_;
  }

  // Anew after every time that the service was away, so that renewed certificates are read and no pause is
  // kept.
  bool connect(std::string& error) {
    if (stub()) return true;
    const auto credentials = this->credentials(error);
    if (!credentials) return false;
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    arguments.SetMaxReceiveMessageSize(kMessageMax);
    const auto channel = grpc::CreateCustomChannel(service_.address, credentials, arguments);
    const std::lock_guard held(mutex_);
    stub_ = wire::CloudProvider::NewStub(channel);
    return true;
  }

  std::shared_ptr<grpc::ChannelCredentials> credentials(std::string& error) const {
    if (service_.cert.empty() && service_.cacert.empty()) return grpc::InsecureChannelCredentials();
    grpc::SslCredentialsOptions options;
    if (!read_file(service_.cacert, options.pem_root_certs, error) ||
        !read_file(service_.key, options.pem_private_key, error) ||
        !read_file(service_.cert, options.pem_cert_chain, error))
      return nullptr;
    auto credentials = grpc::SslCredentials(options);
    if (!credentials) error = "key, cert and cacert of the pool make no TLS connection";
    return credentials;
  }

  template <typename Request, typename Response>
  grpc::Status call(grpc::Status (Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                    const Request& request, Response& response) {
    const auto stub = this->stub();
    if (!stub) return {grpc::StatusCode::UNAVAILABLE, "not connected"};
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::duration_cast<std::chrono::microseconds>(service_.timeout));
    {
      const std::lock_guard held(mutex_);
      if (cancelled_) return {grpc::StatusCode::CANCELLED, "the pool is no longer asked for"};
      current_ = &context;
    }
    const grpc::Status status = (stub.get()->*method)(&context, request, &response);
    const std::lock_guard held(mutex_);
    current_ = nullptr;
    if (status.error_code() == grpc::StatusCode::UNAVAILABLE) stub_.reset();
    return status;
  }

  void change(const Order& order, Answer& answer) {
    for (const Node& node : order.remove) {
      wire::NodeGroupDeleteNodesRequest request;
      request.set_id(service_.group);
      show(node, *request.add_nodes());
      wire::NodeGroupDeleteNodesResponse response;
      const auto status = call(&Stub::NodeGroupDeleteNodes, request, response);
      answer.removed[node.provider_id] = status.ok() ? std::string() : words("NodeGroupDeleteNodes", status);
    }
    if (order.grow > 0) {
      wire::NodeGroupIncreaseSizeRequest request;
      request.set_id(service_.group);
      request.set_delta(static_cast<std::int32_t>(order.grow));
      wire::NodeGroupIncreaseSizeResponse response;
      const auto status = call(&Stub::NodeGroupIncreaseSize, request, response);
      if (!status.ok()) answer.grow_error = words("NodeGroupIncreaseSize", status);
    }
    if (order.grow < 0) {
      wire::NodeGroupDecreaseTargetSizeRequest request;
      request.set_id(service_.group);
      request.set_delta(static_cast<std::int32_t>(order.grow));
      wire::NodeGroupDecreaseTargetSizeResponse response;
      const auto status = call(&Stub::NodeGroupDecreaseTargetSize, request, response);
      if (!status.ok()) answer.grow_error = words("NodeGroupDecreaseTargetSize", status);
    }
  }

  // The error; empty if all was read.
  std::string look(const Order& order, Group& group) {
    wire::RefreshResponse refreshed;
    auto status = call(&Stub::Refresh, wire::RefreshRequest(), refreshed);
    if (!status.ok()) return words("Refresh", status);
    wire::NodeGroupsResponse groups;
    status = call(&Stub::NodeGroups, wire::NodeGroupsRequest(), groups);
    if (!status.ok()) return words("NodeGroups", status);
    if (std::string error = find_group(groups, group); !error.empty()) return error;

    wire::NodeGroupTargetSizeRequest size_request;
    size_request.set_id(service_.group);
    wire::NodeGroupTargetSizeResponse size;
    status = call(&Stub::NodeGroupTargetSize, size_request, size);
    if (!status.ok()) return words("NodeGroupTargetSize", status);
    group.target = size.targetsize();

    wire::NodeGroupNodesRequest nodes_request;
    nodes_request.set_id(service_.group);
    wire::NodeGroupNodesResponse nodes;
    status = call(&Stub::NodeGroupNodes, nodes_request, nodes);
    if (!status.ok()) return words("NodeGroupNodes", status);
    for (const auto& instance : nodes.instances()) group.instances.push_back(read(instance));

    ask_for_strangers(order.strangers, group);
    return order.details ? read_details(group) : std::string();
  }

  std::string find_group(const wire::NodeGroupsResponse& groups, Group& group) const {
    std::string others;
    for (const auto& each : groups.nodegroups()) {
      if (each.id() == service_.group) {
        group.min = each.minsize();
        group.max = each.maxsize();
        return {};
      }
      if (others.size() < 200) others += (others.empty() ? "" : ", ") + clean(each.id());
    }
    return "the service has no node group " + service_.group +
           (others.empty() ? ", nor any other"
                           : "; it has " + others + ": name one in externalgrpc.nodeGroup");
  }

  // Optional to us: most Nodes are known by their provider ids. So it is bounded, and what fails is left out.
  void ask_for_strangers(const std::vector<Node>& strangers, Group& group) {
    const auto until = std::chrono::steady_clock::now() + service_.timeout;
    for (const Node& node : strangers) {
      if (std::chrono::steady_clock::now() >= until) return;
      wire::NodeGroupForNodeRequest request;
      show(node, *request.mutable_node());
      wire::NodeGroupForNodeResponse response;
      if (!call(&Stub::NodeGroupForNode, request, response).ok()) return;
      if (response.nodegroup().id() == service_.group) group.members.insert(node.name);
    }
  }

  // What a service may leave out is left out; other failures count.
  std::string read_details(Group& group) {
    const auto optional = [](const grpc::Status& status) {
      return status.ok() || status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
    };
    wire::GPULabelResponse label;
    auto status = call(&Stub::GPULabel, wire::GPULabelRequest(), label);
    if (!optional(status)) return words("GPULabel", status);
    group.gpu_label = label.label();

    wire::NodeGroupTemplateNodeInfoRequest template_request;
    template_request.set_id(service_.group);
    wire::NodeGroupTemplateNodeInfoResponse info;
    status = call(&Stub::NodeGroupTemplateNodeInfo, template_request, info);
    if (!optional(status)) return words("NodeGroupTemplateNodeInfo", status);
    if (status.ok()) {
      group.node = read_template(info);
      if (!group.node) return "NodeGroupTemplateNodeInfo: what came is no Node";
    }

    wire::PricingNodePriceRequest price_request;
    Node node;
    node.name = service_.group;
    if (group.node) node.labels = group.node->labels;
    show(node, *price_request.mutable_node());
    const std::int64_t now =
        std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    price_request.mutable_starttimestamp()->set_seconds(now);
    price_request.mutable_endtimestamp()->set_seconds(now + 3600);
    wire::PricingNodePriceResponse price;
    status = call(&Stub::PricingNodePrice, price_request, price);
    if (!optional(status)) return words("PricingNodePrice", status);
    if (status.ok()) group.price = price.price();
    return {};
  }

  const Service service_;
  std::mutex mutex_;
  std::shared_ptr<Stub> stub_;              // this and below: guarded by mutex_
  grpc::ClientContext* current_ = nullptr;  // of the call that is under way
  bool cancelled_ = false;
};

namespace {

// gRPC writes to standard error by itself; what concerns a user is in the status of the call.
void say_nothing(gpr_log_func_args*) {}

Session* open(const Service& service) {
  gpr_set_log_function(say_nothing);
  return new Session(service);
}
void talk(Session* session, const Order& order, Answer& answer) { session->talk(order, answer); }
void clean_up(Session* session) { session->clean_up(); }
void cancel(Session* session) { session->cancel(); }
void close(Session* session) { delete session; }

}  // namespace
}  // namespace tidegate::externalgrpc

extern "C" {
extern const tidegate::externalgrpc::Module tidegate_externalgrpc;
const tidegate::externalgrpc::Module tidegate_externalgrpc = {
    tidegate::externalgrpc::open, tidegate::externalgrpc::talk, tidegate::externalgrpc::clean_up,
    tidegate::externalgrpc::cancel, tidegate::externalgrpc::close};
}
