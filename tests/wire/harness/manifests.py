"""Manifests as users write them. Every function gives one YAML document, or a dict of files for Gateway."""

POOL = "vllm-llama2-7b-pool"


def istio_gateway(hosts=("*",)):
    listed = ", ".join(f'"{host}"' for host in hosts)
    return f"""apiVersion: networking.istio.io/v1beta1
kind: Gateway
metadata: {{name: llm-inference-gateway, namespace: default}}
spec:
  selector: {{istio: ingressgateway}}
  servers:
  - port: {{number: @PORT@, name: http-service, protocol: HTTP}}
    hosts: [{listed}]
"""


def pool(engines, name=POOL, annotations=None):
    listed = {"tidegate.dev/endpoints": ",".join(engine.address for engine in engines), **(annotations or {})}
    lines = "\n".join(f'    {key}: "{value}"' for key, value in listed.items())
    return f"""apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: InferencePool
metadata:
  name: {name}
  namespace: default
  annotations:
{lines}
spec:
  targetPortNumber: 8000
  selector: {{app: {name}}}
"""


def model(targets, name="lora-request", pool_name=POOL, criticality=None):
    """`targets`: adapter -> weight; a weight of None leaves it out; no targets at all leaves out the list."""
    lines = [f"""apiVersion: inference.networking.x-k8s.io/v1alpha1
kind: InferenceModel
metadata: {{name: {name}, namespace: default}}
spec:
  modelName: {name}
  poolRef: {{group: inference.networking.x-k8s.io, kind: InferencePool, name: {pool_name}}}"""]
    if criticality:
        lines.append(f"  criticality: {criticality}")
    if targets:
        lines.append("  targetModels:")
        lines += [f"  - {{name: {target}}}" if weight is None else f"  - {{name: {target}, weight: {weight}}}"
                  for target, weight in targets.items()]
    return "\n".join(lines) + "\n"


def llm_route(host="test.com", pool_name=POOL):
    return f"""apiVersion: istio.alibabacloud.com/v1
kind: LLMRoute
metadata: {{name: test-llm-route, namespace: default}}
spec:
  gateways: [llm-inference-gateway]
  host: {host}
  rules:
  - backendRefs:
    - backendRef: {{group: inference.networking.x-k8s.io, kind: InferencePool, name: {pool_name}, namespace: default}}
"""


def canary(engines, targets, **pool_options):
    """The tutorial's objects over engines that run already."""
    return {
        "gateway.yaml": istio_gateway(),
        "pool.yaml": pool(engines, **pool_options),
        "model.yaml": model(targets),
        "route.yaml": llm_route(),
    }
