// What types and fields mean, in a sentence each, for kubectl explain and for editors.
//
//   TYPE[.FIELD...] | SENTENCE [| map=KEYS]
//
// A type of Kubernetes' own is named once, wherever it is used; a kind that is described by its reading
// function is named by the way from its root. map= says by which fields the items of a list are told apart.

#include "cluster/schema/tables.h"

namespace tidegate::schema {

std::string_view about_table() {
  return R"about(
Pod | A group of containers that run together on one node and share one address.
Pod.spec | What the pod should run.
Pod.status | What is known of the pod; written by the machine that runs it.
PodSpec.volumes | Volumes that the containers may mount.
PodSpec.initContainers | Containers that run one after another, each to its end, before the others start. One with restartPolicy Always stays as a sidecar.
PodSpec.containers | The containers of the pod; at least one. They cannot be added or removed later.
PodSpec.ephemeralContainers | Containers added to a running pod for debugging.
PodSpec.restartPolicy | When ended containers are started again: Always, OnFailure or Never.
PodSpec.terminationGracePeriodSeconds | Seconds between the request to stop and the kill; 30 unless set.
PodSpec.activeDeadlineSeconds | Seconds after which the pod is failed, counted from its start.
PodSpec.dnsPolicy | How names are resolved.
PodSpec.nodeSelector | Labels that a node must have to take the pod.
PodSpec.serviceAccountName | The ServiceAccount that the pod acts as.
PodSpec.nodeName | The node the pod is bound to; set by placement.
PodSpec.hostNetwork | Whether the pod uses the addresses of its node.
PodSpec.imagePullSecrets | Secrets with credentials for registries.
PodSpec.hostname | The pod's own host name.
PodSpec.affinity | Rules about the nodes and the other pods this one wants to be near or far from.
PodSpec.schedulerName | Who places the pod.
PodSpec.tolerations | Taints of nodes that this pod puts up with.
PodSpec.priorityClassName | The PriorityClass that gives the pod its priority.
PodSpec.priority | The higher, the sooner it is placed.
PodSpec.readinessGates | Conditions that must be True besides those of the containers before the pod is ready.
PodSpec.topologySpreadConstraints | How pods like this one are to be spread over nodes and zones.
PodSpec.schedulingGates | While any is listed the pod is not placed.
PodSpec.overhead | Resources the pod costs beyond its containers.
PodSpec.securityContext | Security settings for all containers.
Container.name | Its name; differs from those of the pod's other containers.
Container.image | The image to run.
Container.command | The program and its first arguments, in place of the image's entry point.
Container.args | Arguments of the program.
Container.workingDir | The directory it starts in.
Container.ports | Ports the container listens on.
Container.envFrom | ConfigMaps and Secrets all of whose keys become environment variables.
Container.env | Environment variables.
Container.resources | What it needs and what it may use: cpu, memory, nvidia.com/gpu.
Container.volumeMounts | Volumes and where they appear in the container's files.
Container.livenessProbe | Asked regularly; when it fails too often the container is restarted.
Container.readinessProbe | Asked regularly; while it fails the pod gets no traffic.
Container.startupProbe | Asked first; the other probes wait until it succeeds once.
Container.lifecycle | What is done right after the start and right before the stop.
Container.imagePullPolicy | Always, IfNotPresent or Never.
Container.restartPolicy | On an init container, Always makes it a sidecar.
Container.securityContext | Security settings of this container.
ContainerPort.containerPort | The port's number in the container, 1 to 65535.
ContainerPort.name | A name that Services and probes may use.
ContainerPort.protocol | TCP, UDP or SCTP; TCP unless set.
ContainerPort.hostPort | The same port on the node.
EnvVar.name | The variable's name.
EnvVar.value | Its value; $(OTHER) stands for another variable.
EnvVar.valueFrom | Where the value comes from, if not given here.
ResourceRequirements.limits | The most the container may use.
ResourceRequirements.requests | What it is certain to get; the limits unless set.
VolumeMount.name | The volume's name.
VolumeMount.mountPath | Where it appears in the container.
VolumeMount.subPath | The part of the volume that appears.
VolumeMount.readOnly | Whether it can only be read.
Volume.name | The name that mounts refer to.
Volume.emptyDir | A directory that lives as long as the pod.
Volume.hostPath | A file or directory of the node.
Volume.configMap | Files made of a ConfigMap's keys.
Volume.secret | Files made of a Secret's keys.
Volume.persistentVolumeClaim | A claimed persistent volume.
Probe.httpGet | Succeeds when the answer's status is 200 to 399.
Probe.tcpSocket | Succeeds when the port accepts a connection.
Probe.exec | Succeeds when the command ends with 0.
Probe.grpc | Succeeds when the gRPC health service says SERVING.
Probe.initialDelaySeconds | Seconds after the start before the first try.
Probe.periodSeconds | Seconds between tries; 10 unless set.
Probe.timeoutSeconds | Seconds after which a try counts as failed; 1 unless set.
Probe.successThreshold | Successes in a row that make a failing probe succeed.
Probe.failureThreshold | Failures in a row that make it fail; 3 unless set.
Toleration.key | The taint's key; empty with operator Exists means all.
Toleration.operator | Equal or Exists.
Toleration.value | The taint's value.
Toleration.effect | The effect that is put up with; empty means all.
Toleration.tolerationSeconds | How long a NoExecute taint is put up with.
PodStatus.phase | Pending, Running, Succeeded, Failed or Unknown.
PodStatus.conditions | Where the pod stands: PodScheduled, Initialized, ContainersReady, Ready.
PodStatus.podIP | The pod's address.
PodStatus.hostIP | The address of its node.
PodStatus.containerStatuses | The state of each container.
PodTemplateSpec.metadata | Labels and annotations of the pods made from this template.
PodTemplateSpec.spec | What those pods run.
Deployment | Keeps a number of equal pods running and replaces them step by step when their template changes.
Deployment.spec | What should run.
Deployment.status | How far it is.
DeploymentSpec.replicas | How many pods there should be; 1 unless set.
DeploymentSpec.selector | Which pods are its own. It must match the template's labels and cannot change.
DeploymentSpec.template | What each pod looks like.
DeploymentSpec.strategy | How old pods are replaced by new ones.
DeploymentSpec.minReadySeconds | Seconds a pod must be ready to count as available.
DeploymentSpec.revisionHistoryLimit | Old ReplicaSets kept for a rollback; 10 unless set.
DeploymentSpec.paused | Whether changes of the template wait.
DeploymentSpec.progressDeadlineSeconds | Seconds without progress after which the rollout counts as failed.
DeploymentStrategy.type | RollingUpdate or Recreate.
DeploymentStrategy.rollingUpdate | Limits of a rolling update.
RollingUpdateDeployment.maxSurge | Pods allowed above replicas, as a number or a percentage.
RollingUpdateDeployment.maxUnavailable | Pods that may be missing, as a number or a percentage.
DeploymentStatus.replicas | Pods there are.
DeploymentStatus.readyReplicas | Pods that are ready.
DeploymentStatus.availableReplicas | Pods ready for at least minReadySeconds.
DeploymentStatus.updatedReplicas | Pods of the current template.
DeploymentStatus.observedGeneration | The generation this status speaks of.
ReplicaSet | Keeps a number of equal pods running; usually made by a Deployment.
ReplicaSetSpec.replicas | How many pods there should be; 1 unless set.
ReplicaSetSpec.selector | Which pods are its own.
ReplicaSetSpec.template | What each pod looks like.
Service | A name and ports for the pods that a selector finds.
ServiceSpec.ports | The ports of the Service.
ServiceSpec.selector | Labels of the pods behind it.
ServiceSpec.type | ClusterIP, NodePort, LoadBalancer or ExternalName.
ServiceSpec.clusterIP | Its address; None makes it headless.
ServiceSpec.externalName | The name that an ExternalName Service stands for.
ServicePort.name | Its name; needed when there are several.
ServicePort.port | The port that clients use.
ServicePort.targetPort | The port of the pods: a number or a container port's name; port unless set.
ServicePort.protocol | TCP, UDP or SCTP; TCP unless set.
ServicePort.nodePort | The port on every node.
ConfigMap | Configuration as keys and texts.
ConfigMap.data | Keys and their texts.
ConfigMap.binaryData | Keys and bytes, in Base64.
ConfigMap.immutable | Whether the data can never change again.
Secret | Data that must not be seen by everybody.
Secret.data | Keys and bytes, in Base64.
Secret.stringData | Keys and texts as they are; merged into data when written.
Secret.type | What kind of secret it is; Opaque unless set.
Namespace | A room for names: objects in different namespaces may have the same name.
Node | A machine that runs pods.
NodeSpec.unschedulable | Whether no new pods are placed here (kubectl cordon).
NodeSpec.taints | Marks that keep away the pods that do not tolerate them.
NodeSpec.providerID | What the provider of the machine calls it.
NodeStatus.capacity | What the machine has.
NodeStatus.allocatable | What pods may use of it.
NodeStatus.conditions | Ready and others.
NodeStatus.addresses | How it is reached.
Taint.key | The taint's key.
Taint.value | The taint's value.
Taint.effect | NoSchedule, PreferNoSchedule or NoExecute.
Event | Something that happened to an object.
Event.involvedObject | The object it happened to.
Event.reason | One word for it.
Event.message | A sentence for people.
Event.type | Normal or Warning.
Event.count | How often it happened.
ServiceAccount | An identity for pods.
PersistentVolumeClaim | A request for storage.
PersistentVolume | A piece of storage.
Lease | Who holds a role, and until when.
EndpointSlice | Addresses and ports behind a Service.
Ingress | Rules that lead HTTP requests to Services.
IngressSpec.ingressClassName | Who serves it.
IngressSpec.rules | Hosts and paths, and where they lead.
IngressSpec.tls | Hosts with certificates.
IngressSpec.defaultBackend | Where requests go that no rule matches.
PodDisruptionBudget | How many pods of a group may be taken away at a time.
PodDisruptionBudgetSpec.minAvailable | Pods that must stay, as a number or a percentage.
PodDisruptionBudgetSpec.maxUnavailable | Pods that may be missing, as a number or a percentage.
HorizontalPodAutoscaler | Changes the replicas of a workload so that metrics meet their targets.
HorizontalPodAutoscalerSpec.scaleTargetRef | The workload whose replicas are changed.
HorizontalPodAutoscalerSpec.minReplicas | The least replicas; 1 unless set.
HorizontalPodAutoscalerSpec.maxReplicas | The most replicas.
HorizontalPodAutoscalerSpec.metrics | What is measured, and what it should be; the metric that asks for most replicas counts.
HorizontalPodAutoscalerSpec.behavior | How fast it may scale up and down.
HorizontalPodAutoscalerSpec.targetCPUUtilizationPercentage | The share of the requested cpu that pods should use on average.
HPAScalingRules.stabilizationWindowSeconds | Seconds of past recommendations of which the safest is taken.
HPAScalingRules.policies | How much may change in how many seconds.
HPAScalingRules.selectPolicy | Max, Min or Disabled.
MetricTarget.type | Utilization, Value or AverageValue.
MetricTarget.averageUtilization | In percent of what the pods request.
Scale | How many replicas a workload has, and should have.
ScaleSpec.replicas | How many there should be.
ObjectMeta | What every object has: its names, labels and history.
ObjectMeta.name | Its name, unique among objects of this kind in the namespace.
ObjectMeta.generateName | The beginning of a name that the server completes, if there is no name.
ObjectMeta.namespace | The namespace; default unless set.
ObjectMeta.labels | Keys and values by which objects are found.
ObjectMeta.annotations | Keys and values for tools and people.
ObjectMeta.uid | Its identity, different when it is made anew under the same name.
ObjectMeta.resourceVersion | The revision of its last change. An update that names an older one is refused.
ObjectMeta.generation | Goes up with every change outside metadata and status.
ObjectMeta.creationTimestamp | When it was made.
ObjectMeta.deletionTimestamp | When it goes; set when its deletion was asked for.
ObjectMeta.deletionGracePeriodSeconds | Seconds it has to stop in order.
ObjectMeta.ownerReferences | Objects it belongs to; it goes when all of them have gone.
ObjectMeta.finalizers | While any is listed the object stays, even when its deletion was asked for.
ObjectMeta.managedFields | Who set which fields.
LabelSelector.matchLabels | Labels that must be there with these values.
LabelSelector.matchExpressions | Further requirements; all must hold.
LabelSelectorRequirement.key | The label's key.
LabelSelectorRequirement.operator | In, NotIn, Exists or DoesNotExist.
LabelSelectorRequirement.values | The values for In and NotIn.
InferencePool | Pods that serve the same base model, and the port they serve it on.
InferencePool.spec | Which pods, and how they are reached.
InferencePool.spec.selector | Labels of the pods in the pool.
InferencePool.spec.targetPortNumber | The port of the pods.
InferencePool.spec.targetPorts | The ports of the pods; each is an endpoint of its own.
InferencePool.spec.targetPorts.number | The port, 1 to 65535.
InferencePool.spec.appProtocol | What the pods speak: http or kubernetes.io/h2c.
InferencePool.spec.extensionRef | The service that picks endpoints. Optional: the gateway picks itself.
InferencePool.spec.endpointPickerRef | The service that picks endpoints. Optional: the gateway picks itself.
InferenceModel | A model name that clients ask for, and the models or adapters that answer it by weight.
InferenceModel.spec.modelName | The name clients send in "model".
InferenceModel.spec.criticality | Critical, Standard or Sheddable; only sheddable requests are refused under load.
InferenceModel.spec.poolRef | The InferencePool that serves it.
InferenceModel.spec.targetModels | The models or adapters that answer, each with its share.
InferenceModel.spec.targetModels.name | The name the engine knows.
InferenceModel.spec.targetModels.weight | Its share, 1 to 1000000; all targets have one or none has.
InferenceObjective | How important requests are that name it in the header x-gateway-inference-objective.
InferenceObjective.spec.priority | Higher goes first when requests wait; 0 unless set; below 0 they are refused under load.
InferenceObjective.spec.poolRef | The InferencePool whose requests may name it.
InferenceModelRewrite | Which model names are asked of a pool's engines as which others.
InferenceModelRewrite.spec.poolRef | The InferencePool.
InferenceModelRewrite.spec.rules | Exact names before rules for every name, then the older object, then the order here.
InferenceModelRewrite.spec.rules.matches | The names; every name unless there are some.
InferenceModelRewrite.spec.rules.targets | The models or adapters that answer, each with its share.
InferenceModelRewrite.spec.rules.targets.modelRewrite | The name the engine knows.
InferenceModelRewrite.spec.rules.targets.weight | Its share, 1 to 1000000; all targets have one or none has.
LLMRoute | Which hosts and headers lead to which pools of models.
LLMRoute.spec.host | The host clients ask for.
LLMRoute.spec.gateways | The Gateways that serve this route; all unless set.
LLMRoute.spec.rules | Tried in order; the first that matches is taken.
LLMRoute.spec.rules.matches | When the rule holds; any of them.
LLMRoute.spec.rules.backendRefs | Where requests go, by weight.
LLMRoute.spec.rules.backendRefs.backendRef | The InferencePool.
LLMRoute.spec.rules.backendRefs.providerHost | A provider outside.
LLMRoute.spec.rules.backendRefs.weight | Its share.
ASMMeshConfig | Switches of the mesh; there is one, named default.
ASMMeshConfig.spec.gatewayAPIInferenceExtension | Whether InferencePools and InferenceModels are served.
ASMMeshConfig.spec.gatewayAPIInferenceExtension.enabled | true unless set.
Gateway | Where the gateway listens.
Gateway.spec.servers | The ports it listens on, with the hosts of each.
Gateway.spec.servers.port | Number, name and protocol.
Gateway.spec.servers.hosts | The hosts that are served there; * means all.
Gateway.spec.gatewayClassName | Who serves it.
Gateway.spec.listeners | The ports it listens on. | map=name
Gateway.spec.listeners.allowedRoutes | Which routes may use the listener.
ReferenceGrant | Lets objects of other namespaces point at objects of this one.
ReferenceGrant.spec.from | Whose references are allowed: group, kind and namespace.
ReferenceGrant.spec.to | What they may point at; without a name all of that kind.
BackendTLSPolicy | How the gateway speaks TLS to a Service or an InferencePool.
BackendTLSPolicy.spec.targetRefs | The Services and InferencePools it is for; sectionName is a Service's port by its name.
BackendTLSPolicy.spec.validation | Whom to believe: the authorities, and the name that certificates must have.
HTTPRoute | Which HTTP requests go where.
HTTPRoute.spec.parentRefs | The Gateways that serve this route.
HTTPRoute.spec.hostnames | The hosts it is for.
HTTPRoute.spec.rules | Matches, filters, and where requests go.
HTTPRoute.spec.rules.matches | When the rule holds; any of them.
HTTPRoute.spec.rules.filters | What is done to requests and answers on the way.
HTTPRoute.spec.rules.backendRefs | Where requests go, by weight.
HTTPRoute.spec.rules.timeouts | How long a request may take.
InferenceService | A model and how it is served: KServe's one object for a service.
InferenceService.spec.predictor | What runs the model.
LLMInferenceService | A language model by its URI, and how many replicas serve it.
LLMInferenceService.spec.model | Where the model is, what requests call it, and its adapters.
LLMInferenceService.spec.replicas | How many pods serve it.
LLMInferenceService.spec.scaling | Fewest and most pods, in place of replicas.
LLMInferenceService.spec.template | What to change of the pods; the container called main serves.
ResourcePolicy | Which nodes the pods of a group fill first; the other way round when there are fewer pods.
ResourcePolicy.spec.selector | Labels of the pods it is for.
ResourcePolicy.spec.strategy | prefer: the units in their order.
ResourcePolicy.spec.units | Groups of nodes in the order in which they are filled.
NodePool | Machines of one kind that can be started and given back.
NodePool.spec.capacity | What one machine has. Left out with externalgrpc: as the service's template says.
NodePool.spec.provider | static: they exist. local: this home plays them. exec: a program of yours. externalgrpc: a service.
NodePool.spec.pricePerHour | Of one machine.
NodePool.spec.externalgrpc.address | host:port of the service.
NodePool.spec.externalgrpc.cacert | PEM file of its authorities.
NodePool.spec.externalgrpc.cert | PEM file that shows who we are; with key.
NodePool.spec.externalgrpc.key | PEM file of cert's key.
NodePool.spec.externalgrpc.nodeGroup | Which of its node groups; the pool's name unless set.
NodePool.spec.externalgrpc.refresh | Between two readings of its groups; 10s.
NodePool.spec.externalgrpc.timeout | Of one call; 5s.
NodePool.spec.externalgrpc | The service that speaks cluster-autoscaler's external gRPC protocol, and the node group there.
)about";
}

}  // namespace tidegate::schema
