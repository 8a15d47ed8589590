"""A cloud behind cluster-autoscaler's external gRPC protocol, as a real gRPC server. Run by build/venv's Python, for it needs grpcio.

    python cloud_provider.py FOLDER ADDRESS [KEY CERT CACERT]

FOLDER/orders.json is what a test wants of it, read at every call:
    {"delay": seconds, "refuse": "NodeGroupIncreaseSize", "target": -5, "no_template": true, "broken": id}
FOLDER/cloud.json is its memory: {"target": 0, "next": 1, "instances": [{"id": "cloud://1", "state": 2}]}. It outlives a restart.
FOLDER/calls is a line per call. The messages are told to protobuf from the table below, not from the project's own .proto.
"""

import concurrent.futures
import json
import pathlib
import sys
import time

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "clusterautoscaler.cloudprovider.v1.externalgrpc"
GROUP = "gpu-group"
# name: [(field, number, type)]; a trailing * is repeated, "map" is of texts.
MESSAGES = {
    "NodeGroup": [("id", 1, "string"), ("minSize", 2, "int32"), ("maxSize", 3, "int32"), ("debug", 4, "string")],
    "ExternalGrpcNode": [("providerID", 1, "string"), ("name", 2, "string"), ("labels", 3, "map"), ("annotations", 4, "map")],
    "Empty": [],
    "NodeGroupsResponse": [("nodeGroups", 1, "NodeGroup*")],
    "NodeRequest": [("node", 1, "ExternalGrpcNode")],
    "NodeGroupForNodeResponse": [("nodeGroup", 1, "NodeGroup")],
    "Price": [("price", 1, "double")],
    "Label": [("label", 1, "string")],
    "Id": [("id", 1, "string")],
    "Size": [("targetSize", 1, "int32")],
    "Delta": [("delta", 1, "int32"), ("id", 2, "string")],
    "Deletion": [("nodes", 1, "ExternalGrpcNode*"), ("id", 2, "string")],
    "ErrorInfo": [("errorCode", 1, "string"), ("errorMessage", 2, "string"), ("instanceErrorClass", 3, "int32")],
    "Status": [("instanceState", 1, "int32"), ("errorInfo", 2, "ErrorInfo")],
    "Instance": [("id", 1, "string"), ("status", 2, "Status")],
    "Instances": [("instances", 1, "Instance*")],
    "TemplateResponse": [("nodeBytes", 2, "bytes")],
    # Of Kubernetes' v1.Node.
    "Quantity": [("string", 1, "string")],
    "Amount": [("key", 1, "string"), ("value", 2, "Quantity")],  # an entry of a map
    "NodeStatus": [("capacity", 1, "Amount*"), ("allocatable", 2, "Amount*")],
    "Metadata": [("labels", 11, "map")],
    "Node": [("metadata", 1, "Metadata"), ("status", 3, "NodeStatus")],
}


def load():
    kinds = descriptor_pb2.FieldDescriptorProto
    plain = {"string": kinds.TYPE_STRING, "int32": kinds.TYPE_INT32, "double": kinds.TYPE_DOUBLE, "bytes": kinds.TYPE_BYTES}
    file = descriptor_pb2.FileDescriptorProto(name="cloud.proto", package=PACKAGE, syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            made = message.field.add(name=field, number=number, label=kinds.LABEL_OPTIONAL)
            if kind == "map":
                entry = message.nested_type.add(name=field.capitalize() + "Entry")
                entry.options.map_entry = True
                for at, part in enumerate(("key", "value"), 1):
                    entry.field.add(name=part, number=at, type=kinds.TYPE_STRING, label=kinds.LABEL_OPTIONAL)
                made.type_name, kind = f".{PACKAGE}.{name}.{entry.name}", "entry*"
            if kind.endswith("*"):
                made.label = kinds.LABEL_REPEATED
            word = kind.rstrip("*")
            made.type = plain.get(word, kinds.TYPE_MESSAGE)
            if word not in plain and not made.type_name:
                made.type_name = f".{PACKAGE}.{word}"
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in MESSAGES}


M = load()


class Cloud:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)

    def orders(self):
        try:
            return json.loads((self.folder / "orders.json").read_text())
        except FileNotFoundError:
            return {}

    def memory(self):
        try:
            return json.loads((self.folder / "cloud.json").read_text())
        except FileNotFoundError:
            return {"target": 0, "next": 1, "instances": []}

    def keep(self, memory):
        draft = self.folder / "cloud.json.new"
        draft.write_text(json.dumps(memory))
        draft.rename(self.folder / "cloud.json")

    def begin(self, call, request, context):
        orders = self.orders()
        with open(self.folder / "calls", "a") as log:
            log.write(f"{call} {str(request).strip()!r}\n")
        time.sleep(orders.get("delay", 0))
        if orders.get("refuse") in (call, "all"):
            context.abort(grpc.StatusCode.RESOURCE_EXHAUSTED, "out of stock: \u7f3a\u8d27")
        return orders

    def group(self):
        return M["NodeGroup"](id=GROUP, minSize=0, maxSize=3, debug="a test's")

    def NodeGroups(self, request, orders, context):
        return M["NodeGroupsResponse"](nodeGroups=[M["NodeGroup"](id="other", maxSize=1), self.group()])

    def NodeGroupForNode(self, request, orders, context):
        return M["NodeGroupForNodeResponse"](nodeGroup=M["NodeGroup"](id=""))

    def PricingNodePrice(self, request, orders, context):
        return M["Price"](price=2.5)

    def GPULabel(self, request, orders, context):
        return M["Label"](label="cloud/gpu")

    def Refresh(self, request, orders, context):
        return M["Empty"]()

    Cleanup = Refresh

    def NodeGroupTargetSize(self, request, orders, context):
        return M["Size"](targetSize=orders.get("target", self.memory()["target"]))

    def NodeGroupNodes(self, request, orders, context):
        made = []
        for instance in self.memory()["instances"]:
            one = M["Instance"](id=instance["id"], status=M["Status"](instanceState=instance["state"]))
            if orders.get("broken") == instance["id"]:
                one.status.errorInfo.errorCode, one.status.errorInfo.errorMessage = "BROKEN", "the host has died"
            made.append(one)
        return M["Instances"](instances=made)

    def NodeGroupIncreaseSize(self, request, orders, context):
        memory = self.memory()
        if request.id != GROUP or request.delta <= 0 or memory["target"] + request.delta > 3:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"delta {request.delta} for {request.id}")
        memory["target"] += request.delta
        for _ in range(request.delta):
            memory["instances"].append({"id": f"cloud://{memory['next']}", "state": 2})
            memory["next"] += 1
        self.keep(memory)
        return M["Empty"]()

    def NodeGroupDecreaseTargetSize(self, request, orders, context):
        memory = self.memory()
        if request.delta >= 0 or memory["target"] + request.delta < len(memory["instances"]):
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"delta {request.delta} would delete nodes")
        memory["target"] += request.delta
        self.keep(memory)
        return M["Empty"]()

    def NodeGroupDeleteNodes(self, request, orders, context):
        memory = self.memory()
        for node in request.nodes:
            if node.providerID not in [i["id"] for i in memory["instances"]]:
                context.abort(grpc.StatusCode.NOT_FOUND, f"no instance {node.providerID}")
            memory["instances"] = [i for i in memory["instances"] if i["id"] != node.providerID]
            memory["target"] -= 1
        self.keep(memory)
        return M["Empty"]()

    def NodeGroupTemplateNodeInfo(self, request, orders, context):
        if orders.get("no_template"):
            context.abort(grpc.StatusCode.UNIMPLEMENTED, "no templates here")
        amounts = [M["Amount"](key=key, value=M["Quantity"](string=value))
                   for key, value in (("cpu", "8"), ("memory", "32Gi"), ("nvidia.com/gpu", "1"), ("pods", "110"))]
        node = M["Node"](metadata=M["Metadata"](labels={"cloud/gpu": "v100", "kubernetes.io/hostname": "template"}),
                         status=M["NodeStatus"](capacity=amounts, allocatable=amounts))
        return M["TemplateResponse"](nodeBytes=node.SerializeToString())


REQUESTS = {"NodeGroups": "Empty", "NodeGroupForNode": "NodeRequest", "PricingNodePrice": "NodeRequest", "GPULabel": "Empty",
            "Refresh": "Empty", "Cleanup": "Empty", "NodeGroupTargetSize": "Id", "NodeGroupNodes": "Id",
            "NodeGroupIncreaseSize": "Delta", "NodeGroupDecreaseTargetSize": "Delta", "NodeGroupDeleteNodes": "Deletion",
            "NodeGroupTemplateNodeInfo": "Id"}


def main(folder, address, *tls):
    cloud = Cloud(folder)

    def handler(call):
        def serve(request, context):
            orders = cloud.begin(call, request, context)
            return getattr(cloud, call)(request, orders, context)
        return grpc.unary_unary_rpc_method_handler(serve, request_deserializer=M[REQUESTS[call]].FromString,
                                                   response_serializer=lambda message: message.SerializeToString())

    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
        f"{PACKAGE}.CloudProvider", {call: handler(call) for call in REQUESTS}),))
    if tls:
        key, cert, cacert = (pathlib.Path(path).read_bytes() for path in tls)
        server.add_secure_port(address, grpc.ssl_server_credentials([(key, cert)], cacert, require_client_auth=True))
    else:
        server.add_insecure_port(address)
    server.start()
    (cloud.folder / "serving").touch()
    server.wait_for_termination()


main(*sys.argv[1:])
