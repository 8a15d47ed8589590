// Kubernetes' own types: every field with its number in protobuf, its type, and how it is merged.
//
//   type NAME [kind | atomic]
//     FIELD NUMBER TYPE [map=KEYS] [set] [atomic] [merge[=KEY]] [retainKeys] [inline] [default=TEXT]
//
// TYPE is text, integer, number, boolean, bytes, time, microTime, quantity, intOrString, any, or another type (of this
// package, or PACKAGE.NAME); [] before it makes a list, {} a map. map, set and atomic say who can own parts (server-side
// apply), merge and retainKeys what a strategic merge patch does. inline: a message of its own in protobuf whose fields
// stand beside the others in JSON.
//
// Source: the schema facts of k8s.io/api and k8s.io/apimachinery (names, numbers, types, +listType, +patchStrategy).

#include "cluster/schema/tables.h"

namespace tidegate::schema {

std::span<const std::string_view> types_table() {
  static constexpr std::string_view kPackages[] = {
R"types(package core.v1
type Pod kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 PodSpec
  status 3 PodStatus
type Service kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 ServiceSpec
  status 3 ServiceStatus
type ConfigMap kind
  metadata 1 meta.v1.ObjectMeta
  immutable 4 boolean
  data 2 {}text
  binaryData 3 {}bytes
type Secret kind
  metadata 1 meta.v1.ObjectMeta
  immutable 5 boolean
  data 2 {}bytes
  stringData 4 {}text
  type 3 text
type Namespace kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 NamespaceSpec
  status 3 NamespaceStatus
type Node kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 NodeSpec
  status 3 NodeStatus
type Event kind
  metadata 1 meta.v1.ObjectMeta
  involvedObject 2 ObjectReference
  reason 3 text
  message 4 text
  source 5 EventSource
  firstTimestamp 6 time
  lastTimestamp 7 time
  count 8 integer
  type 9 text
  eventTime 10 microTime
  series 11 EventSeries
  action 12 text
  related 13 ObjectReference
  reportingComponent 14 text
  reportingInstance 15 text
type ServiceAccount kind
  metadata 1 meta.v1.ObjectMeta
  secrets 2 []ObjectReference map=name merge=name
  imagePullSecrets 3 []LocalObjectReference
  automountServiceAccountToken 4 boolean
type PersistentVolumeClaim kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 PersistentVolumeClaimSpec
  status 3 PersistentVolumeClaimStatus
type PersistentVolume kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 PersistentVolumeSpec
  status 3 PersistentVolumeStatus
type Binding kind
  metadata 1 meta.v1.ObjectMeta
  target 2 ObjectReference
type ResourceQuota kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 ResourceQuotaSpec
  status 3 ResourceQuotaStatus
type ResourceQuotaSpec
  hard 1 {}quantity
  scopes 2 []text
  scopeSelector 3 any
type ResourceQuotaStatus
  hard 1 {}quantity
  used 2 {}quantity
type LimitRange kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 LimitRangeSpec
type LimitRangeSpec
  limits 1 []LimitRangeItem
type LimitRangeItem
  type 1 text
  max 2 {}quantity
  min 3 {}quantity
  default 4 {}quantity
  defaultRequest 5 {}quantity
  maxLimitRequestRatio 6 {}quantity
type PodSpec
  volumes 1 []Volume map=name merge=name retainKeys
  initContainers 20 []Container map=name merge=name
  containers 2 []Container map=name merge=name
  ephemeralContainers 34 []EphemeralContainer map=name merge=name
  restartPolicy 3 text
  terminationGracePeriodSeconds 4 integer
  activeDeadlineSeconds 5 integer
  dnsPolicy 6 text
  nodeSelector 7 {}text atomic
  serviceAccountName 8 text
  serviceAccount 9 text
  automountServiceAccountToken 21 boolean
  nodeName 10 text
  hostNetwork 11 boolean
  hostPID 12 boolean
  hostIPC 13 boolean
  shareProcessNamespace 27 boolean
  securityContext 14 PodSecurityContext
  imagePullSecrets 15 []LocalObjectReference map=name merge=name
  hostname 16 text
  subdomain 17 text
  affinity 18 Affinity
  schedulerName 19 text
  tolerations 22 []Toleration
  hostAliases 23 []HostAlias map=ip merge=ip
  priorityClassName 24 text
  priority 25 integer
  dnsConfig 26 PodDNSConfig
  readinessGates 28 []PodReadinessGate
  runtimeClassName 29 text
  enableServiceLinks 30 boolean
  preemptionPolicy 31 text
  overhead 32 {}quantity
  topologySpreadConstraints 33 []TopologySpreadConstraint map=topologyKey,whenUnsatisfiable merge=topologyKey
  setHostnameAsFQDN 35 boolean
  os 36 PodOS
  hostUsers 37 boolean
  schedulingGates 38 []PodSchedulingGate map=name merge=name
  resourceClaims 39 []PodResourceClaim map=name merge=name retainKeys
  resources 40 ResourceRequirements
  hostnameOverride 41 text
  schedulingGroup 43 PodSchedulingGroup
  evictionResponders 44 []EvictionResponder map=name merge=name
type PodStatus
  observedGeneration 17 integer
  phase 1 text
  conditions 2 []PodCondition map=type merge=type
  message 3 text
  reason 4 text
  nominatedNodeName 11 text
  hostIP 5 text
  hostIPs 16 []HostIP merge=ip
  podIP 6 text
  podIPs 12 []PodIP map=ip merge=ip
  startTime 7 time
  initContainerStatuses 10 []ContainerStatus
  containerStatuses 8 []ContainerStatus
  qosClass 9 text
  ephemeralContainerStatuses 13 []ContainerStatus
  resize 14 text
  resourceClaimStatuses 15 []PodResourceClaimStatus map=name merge=name retainKeys
  extendedResourceClaimStatus 18 PodExtendedResourceClaimStatus
  allocatedResources 19 {}quantity
  resources 20 ResourceRequirements
  nodeAllocatableResourceClaimStatuses 21 []NodeAllocatableResourceClaimStatus map=resourceClaimName merge=resourceClaimName
  volumeHealth 22 []PodVolumeHealth map=name
type ServiceSpec
  ports 1 []ServicePort map=port,protocol merge=port
  selector 2 {}text atomic
  clusterIP 3 text
  clusterIPs 18 []text
  type 4 text
  externalIPs 5 []text
  sessionAffinity 7 text
  loadBalancerIP 8 text
  loadBalancerSourceRanges 9 []text
  externalName 10 text
  externalTrafficPolicy 11 text
  healthCheckNodePort 12 integer
  publishNotReadyAddresses 13 boolean
  sessionAffinityConfig 14 SessionAffinityConfig
  ipFamilies 19 []text
  ipFamilyPolicy 17 text
  allocateLoadBalancerNodePorts 20 boolean
  loadBalancerClass 21 text
  internalTrafficPolicy 22 text
  trafficDistribution 23 text
type ServiceStatus
  loadBalancer 1 LoadBalancerStatus
  conditions 2 []meta.v1.Condition map=type merge=type
type NamespaceSpec
  finalizers 1 []text
type NamespaceStatus
  phase 1 text
  conditions 2 []NamespaceCondition map=type merge=type
type NodeSpec
  podCIDR 1 text
  podCIDRs 7 []text set merge
  providerID 3 text
  unschedulable 4 boolean
  taints 5 []Taint
  configSource 6 NodeConfigSource
  externalID 2 text
  podPreemptionPolicy 8 NodePodPreemptionPolicy
type NodeStatus
  capacity 1 {}quantity
  allocatable 2 {}quantity
  phase 3 text
  conditions 4 []NodeCondition map=type merge=type
  addresses 5 []NodeAddress map=type merge=type
  daemonEndpoints 6 NodeDaemonEndpoints
  nodeInfo 7 NodeSystemInfo
  images 8 []ContainerImage
  volumesInUse 9 []text
  volumesAttached 10 []AttachedVolume
  config 11 NodeConfigStatus
  runtimeHandlers 12 []NodeRuntimeHandler
  features 13 NodeFeatures
  declaredFeatures 14 []text
type ObjectReference atomic
  kind 1 text
  namespace 2 text
  name 3 text
  uid 4 text
  apiVersion 5 text
  resourceVersion 6 text
  fieldPath 7 text
type EventSource
  component 1 text
  host 2 text
type EventSeries
  count 1 integer
  lastObservedTime 2 microTime
type LocalObjectReference atomic
  name 1 text
type PersistentVolumeClaimSpec
  accessModes 1 []text
  selector 4 meta.v1.LabelSelector
  resources 2 VolumeResourceRequirements
  volumeName 3 text
  storageClassName 5 text
  volumeMode 6 text
  dataSource 7 TypedLocalObjectReference
  dataSourceRef 8 TypedObjectReference
  volumeAttributesClassName 9 text
type PersistentVolumeClaimStatus
  phase 1 text
  accessModes 2 []text
  capacity 3 {}quantity
  conditions 4 []PersistentVolumeClaimCondition map=type merge=type
  allocatedResources 5 {}quantity
  allocatedResourceStatuses 7 {}text
  currentVolumeAttributesClassName 8 text
  modifyVolumeStatus 9 ModifyVolumeStatus
  healthStatus 10 VolumeHealthStatus
type PersistentVolumeSpec
  capacity 1 {}quantity
  persistentVolumeSource 2 PersistentVolumeSource inline
  accessModes 3 []text
  claimRef 4 ObjectReference
  persistentVolumeReclaimPolicy 5 text
  storageClassName 6 text
  mountOptions 7 []text
  volumeMode 8 text
  nodeAffinity 9 VolumeNodeAffinity
  volumeAttributesClassName 10 text
type PersistentVolumeStatus
  phase 1 text
  message 2 text
  reason 3 text
  lastPhaseTransitionTime 4 time
type TopologySelectorTerm atomic
  matchLabelExpressions 1 []TopologySelectorLabelRequirement
type Volume
  name 1 text
  volumeSource 2 VolumeSource inline
type Container
  name 1 text
  image 2 text
  command 3 []text
  args 4 []text
  workingDir 5 text
  ports 6 []ContainerPort map=containerPort,protocol merge=containerPort
  envFrom 19 []EnvFromSource
  env 7 []EnvVar map=name merge=name
  resources 8 ResourceRequirements
  resizePolicy 23 []ContainerResizePolicy
  restartPolicy 24 text
  restartPolicyRules 25 []ContainerRestartRule
  volumeMounts 9 []VolumeMount map=mountPath merge=mountPath
  volumeDevices 21 []VolumeDevice map=devicePath merge=devicePath
  livenessProbe 10 Probe
  readinessProbe 11 Probe
  startupProbe 22 Probe
  lifecycle 12 Lifecycle
  terminationMessagePath 13 text
  terminationMessagePolicy 20 text
  imagePullPolicy 14 text
  securityContext 15 SecurityContext
  stdin 16 boolean
  stdinOnce 17 boolean
  tty 18 boolean
type EphemeralContainer
  ephemeralContainerCommon 1 EphemeralContainerCommon inline
  targetContainerName 2 text
type PodSecurityContext
  seLinuxOptions 1 SELinuxOptions
  windowsOptions 8 WindowsSecurityContextOptions
  runAsUser 2 integer
  runAsGroup 6 integer
  runAsNonRoot 3 boolean
  supplementalGroups 4 []integer
  supplementalGroupsPolicy 12 text
  fsGroup 5 integer
  sysctls 7 []Sysctl
  fsGroupChangePolicy 9 text
  seccompProfile 10 SeccompProfile
  appArmorProfile 11 AppArmorProfile
  seLinuxChangePolicy 13 text
type Affinity
  nodeAffinity 1 NodeAffinity
  podAffinity 2 PodAffinity
  podAntiAffinity 3 PodAntiAffinity
type Toleration
  key 1 text
  operator 2 text
  value 3 text
  effect 4 text
  tolerationSeconds 5 integer
type HostAlias
  ip 1 text
  hostnames 2 []text
type PodDNSConfig
  nameservers 1 []text
  searches 2 []text
  options 3 []PodDNSConfigOption
type PodReadinessGate
  conditionType 1 text
type TopologySpreadConstraint
  maxSkew 1 integer
  topologyKey 2 text
  whenUnsatisfiable 3 text
  labelSelector 4 meta.v1.LabelSelector
  minDomains 5 integer
  nodeAffinityPolicy 6 text
  nodeTaintsPolicy 7 text
  matchLabelKeys 8 []text
type PodOS
  name 1 text
type PodSchedulingGate
  name 1 text
type PodResourceClaim
  name 1 text
  resourceClaimName 3 text
  resourceClaimTemplateName 4 text
type ResourceRequirements
  limits 1 {}quantity
  requests 2 {}quantity
  claims 3 []ResourceClaim map=name
type PodSchedulingGroup
  podGroupName 1 text
type EvictionResponder atomic
  name 1 text
  priority 2 integer
type PodCondition
  type 1 text
  observedGeneration 7 integer
  status 2 text
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 text
  message 6 text
type HostIP
  ip 1 text
type PodIP
  ip 1 text
type ContainerStatus
  name 1 text
  state 2 ContainerState
  lastState 3 ContainerState
  ready 4 boolean
  restartCount 5 integer
  image 6 text
  imageID 7 text
  containerID 8 text
  started 9 boolean
  allocatedResources 10 {}quantity
  resources 11 ResourceRequirements
  volumeMounts 12 []VolumeMountStatus map=mountPath merge=mountPath
  user 13 ContainerUser
  allocatedResourcesStatus 14 []ResourceStatus map=name merge=name
  stopSignal 15 text
type PodResourceClaimStatus
  name 1 text
  resourceClaimName 2 text
type PodExtendedResourceClaimStatus
  requestMappings 1 []ContainerExtendedResourceRequest
  resourceClaimName 2 text
type NodeAllocatableResourceClaimStatus
  resourceClaimName 1 text
  containers 2 []text set
  mapping 4 []NodeAllocatableMappedResources map=name merge=name
  overhead 5 []NodeAllocatableOverheadResources map=name merge=name
type PodVolumeHealth
  name 1 text
  healthConditions 2 []VolumeHealthCondition map=status,reason merge=status
  lastTransitionTime 3 time
type ServicePort
  name 1 text
  protocol 2 text default=TCP
  appProtocol 6 text
  port 3 integer
  targetPort 4 intOrString
  nodePort 5 integer
type SessionAffinityConfig
  clientIP 1 ClientIPConfig
type LoadBalancerStatus
  ingress 1 []LoadBalancerIngress
type NamespaceCondition
  type 1 text
  status 2 text
  lastTransitionTime 4 time
  reason 5 text
  message 6 text
type Taint
  key 1 text
  value 2 text
  effect 3 text
  timeAdded 4 time
type NodeConfigSource
  configMap 2 ConfigMapNodeConfigSource
type NodePodPreemptionPolicy
  disableResizePreemption 1 []text set
type NodeCondition
  type 1 text
  status 2 text
  lastHeartbeatTime 3 time
  lastTransitionTime 4 time
  reason 5 text
  message 6 text
type NodeAddress
  type 1 text
  address 2 text
type NodeDaemonEndpoints
  kubeletEndpoint 1 DaemonEndpoint
type NodeSystemInfo
  machineID 1 text
  systemUUID 2 text
  bootID 3 text
  kernelVersion 4 text
  osImage 5 text
  containerRuntimeVersion 6 text
  kubeletVersion 7 text
  kubeProxyVersion 8 text
  operatingSystem 9 text
  architecture 10 text
  swap 11 NodeSwapStatus
type ContainerImage
  names 1 []text
  sizeBytes 2 integer
type AttachedVolume
  name 1 text
  devicePath 2 text
type NodeConfigStatus
  assigned 1 NodeConfigSource
  active 2 NodeConfigSource
  lastKnownGood 3 NodeConfigSource
  error 4 text
type NodeRuntimeHandler
  name 1 text
  features 2 NodeRuntimeHandlerFeatures
type NodeFeatures
  supplementalGroupsPolicy 1 boolean
type VolumeResourceRequirements
  limits 1 {}quantity
  requests 2 {}quantity
type TypedLocalObjectReference atomic
  apiGroup 1 text
  kind 2 text
  name 3 text
type TypedObjectReference
  apiGroup 1 text
  kind 2 text
  name 3 text
  namespace 4 text
type PersistentVolumeClaimCondition
  type 1 text
  status 2 text
  lastProbeTime 3 time
  lastTransitionTime 4 time
  reason 5 text
  message 6 text
type ModifyVolumeStatus
  targetVolumeAttributesClassName 1 text
  status 2 text
type VolumeHealthStatus
  healthConditions 1 []VolumeHealthCondition map=status,reason merge=status
  lastTransitionTime 2 time
type PersistentVolumeSource
  gcePersistentDisk 1 GCEPersistentDiskVolumeSource
  awsElasticBlockStore 2 AWSElasticBlockStoreVolumeSource
  hostPath 3 HostPathVolumeSource
  glusterfs 4 GlusterfsPersistentVolumeSource
  nfs 5 NFSVolumeSource
  rbd 6 RBDPersistentVolumeSource
  iscsi 7 ISCSIPersistentVolumeSource
  cinder 8 CinderPersistentVolumeSource
  cephfs 9 CephFSPersistentVolumeSource
  fc 10 FCVolumeSource
  flocker 11 FlockerVolumeSource
  flexVolume 12 FlexPersistentVolumeSource
  azureFile 13 AzureFilePersistentVolumeSource
  vsphereVolume 14 VsphereVirtualDiskVolumeSource
  quobyte 15 QuobyteVolumeSource
  azureDisk 16 AzureDiskVolumeSource
  photonPersistentDisk 17 PhotonPersistentDiskVolumeSource
  portworxVolume 18 PortworxVolumeSource
  scaleIO 19 ScaleIOPersistentVolumeSource
  local 20 LocalVolumeSource
  storageos 21 StorageOSPersistentVolumeSource
  csi 22 CSIPersistentVolumeSource
type VolumeNodeAffinity
  required 1 NodeSelector
type PodTemplateSpec
  metadata 1 meta.v1.ObjectMeta
  spec 2 PodSpec
type TopologySelectorLabelRequirement
  key 1 text
  values 2 []text
type VolumeSource
  hostPath 1 HostPathVolumeSource
  emptyDir 2 EmptyDirVolumeSource
  gcePersistentDisk 3 GCEPersistentDiskVolumeSource
  awsElasticBlockStore 4 AWSElasticBlockStoreVolumeSource
  gitRepo 5 GitRepoVolumeSource
  secret 6 SecretVolumeSource
  nfs 7 NFSVolumeSource
  iscsi 8 ISCSIVolumeSource
  glusterfs 9 GlusterfsVolumeSource
  persistentVolumeClaim 10 PersistentVolumeClaimVolumeSource
  rbd 11 RBDVolumeSource
  flexVolume 12 FlexVolumeSource
  cinder 13 CinderVolumeSource
  cephfs 14 CephFSVolumeSource
  flocker 15 FlockerVolumeSource
  downwardAPI 16 DownwardAPIVolumeSource
  fc 17 FCVolumeSource
  azureFile 18 AzureFileVolumeSource
  configMap 19 ConfigMapVolumeSource
  vsphereVolume 20 VsphereVirtualDiskVolumeSource
  quobyte 21 QuobyteVolumeSource
  azureDisk 22 AzureDiskVolumeSource
  photonPersistentDisk 23 PhotonPersistentDiskVolumeSource
  projected 26 ProjectedVolumeSource
  portworxVolume 24 PortworxVolumeSource
  scaleIO 25 ScaleIOVolumeSource
  storageos 27 StorageOSVolumeSource
  csi 28 CSIVolumeSource
  ephemeral 29 EphemeralVolumeSource
  image 30 ImageVolumeSource
type ContainerPort
  name 1 text
  hostPort 2 integer
  containerPort 3 integer
  protocol 4 text default=TCP
  hostIP 5 text
type EnvFromSource
  prefix 1 text
  configMapRef 2 ConfigMapEnvSource
  secretRef 3 SecretEnvSource
type EnvVar
  name 1 text
  value 2 text
  valueFrom 3 EnvVarSource
type ContainerResizePolicy
  resourceName 1 text
  restartPolicy 2 text
type ContainerRestartRule
  action 1 text
  exitCodes 2 ContainerRestartRuleOnExitCodes
type VolumeMount
  name 1 text
  readOnly 2 boolean
  recursiveReadOnly 7 text
  mountPath 3 text
  subPath 4 text
  mountPropagation 5 text
  subPathExpr 6 text
  bindMountOptions 8 []text set
type VolumeDevice
  name 1 text
  devicePath 2 text
type Probe
  handler 1 ProbeHandler inline
  initialDelaySeconds 2 integer
  timeoutSeconds 3 integer
  periodSeconds 4 integer
  successThreshold 5 integer
  failureThreshold 6 integer
  terminationGracePeriodSeconds 7 integer
type Lifecycle
  postStart 1 LifecycleHandler
  preStop 2 LifecycleHandler
  stopSignal 3 text
type SecurityContext
  capabilities 1 Capabilities
  privileged 2 boolean
  seLinuxOptions 3 SELinuxOptions
  windowsOptions 10 WindowsSecurityContextOptions
  runAsUser 4 integer
  runAsGroup 8 integer
  runAsNonRoot 5 boolean
  readOnlyRootFilesystem 6 boolean
  allowPrivilegeEscalation 7 boolean
  procMount 9 text
  seccompProfile 11 SeccompProfile
  appArmorProfile 12 AppArmorProfile
type EphemeralContainerCommon
  name 1 text
  image 2 text
  command 3 []text
  args 4 []text
  workingDir 5 text
  ports 6 []ContainerPort map=containerPort,protocol merge=containerPort
  envFrom 19 []EnvFromSource
  env 7 []EnvVar map=name merge=name
  resources 8 ResourceRequirements
  resizePolicy 23 []ContainerResizePolicy
  restartPolicy 24 text
  restartPolicyRules 25 []ContainerRestartRule
  volumeMounts 9 []VolumeMount map=mountPath merge=mountPath
  volumeDevices 21 []VolumeDevice map=devicePath merge=devicePath
  livenessProbe 10 Probe
  readinessProbe 11 Probe
  startupProbe 22 Probe
  lifecycle 12 Lifecycle
  terminationMessagePath 13 text
  terminationMessagePolicy 20 text
  imagePullPolicy 14 text
  securityContext 15 SecurityContext
  stdin 16 boolean
  stdinOnce 17 boolean
  tty 18 boolean
type SELinuxOptions
  user 1 text
  role 2 text
  type 3 text
  level 4 text
type WindowsSecurityContextOptions
  gmsaCredentialSpecName 1 text
  gmsaCredentialSpec 2 text
  runAsUserName 3 text
  hostProcess 4 boolean
type Sysctl
  name 1 text
  value 2 text
type SeccompProfile
  type 1 text
  localhostProfile 2 text
type AppArmorProfile
  type 1 text
  localhostProfile 2 text
type NodeAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 NodeSelector
  preferredDuringSchedulingIgnoredDuringExecution 2 []PreferredSchedulingTerm
type PodAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm
type PodAntiAffinity
  requiredDuringSchedulingIgnoredDuringExecution 1 []PodAffinityTerm
  preferredDuringSchedulingIgnoredDuringExecution 2 []WeightedPodAffinityTerm
type PodDNSConfigOption
  name 1 text
  value 2 text
type ResourceClaim
  name 1 text
  request 2 text
type ContainerState
  waiting 1 ContainerStateWaiting
  running 2 ContainerStateRunning
  terminated 3 ContainerStateTerminated
type VolumeMountStatus
  name 1 text
  mountPath 2 text
  readOnly 3 boolean
  recursiveReadOnly 4 text
  volumeStatus 5 VolumeStatus
type ContainerUser
  linux 1 LinuxContainerUser
type ResourceStatus
  name 1 text
  resources 2 []ResourceHealth map=resourceID
type ContainerExtendedResourceRequest
  containerName 1 text
  resourceName 2 text
  requestName 3 text
type NodeAllocatableMappedResources
  name 1 text
  quantity 2 quantity
type NodeAllocatableOverheadResources
  name 1 text
  perPod 2 quantity
  perContainer 3 quantity
type VolumeHealthCondition
  status 1 text
  reason 2 text
  message 3 text
type ClientIPConfig
  timeoutSeconds 1 integer
type LoadBalancerIngress
  ip 1 text
  hostname 2 text
  ipMode 3 text
  ports 4 []PortStatus
type ConfigMapNodeConfigSource
  namespace 1 text
  name 2 text
  uid 3 text
  resourceVersion 4 text
  kubeletConfigKey 5 text
type DaemonEndpoint
  Port 1 integer
type NodeSwapStatus
  capacity 1 integer
type NodeRuntimeHandlerFeatures
  recursiveReadOnlyMounts 1 boolean
  userNamespaces 2 boolean
type GCEPersistentDiskVolumeSource
  pdName 1 text
  fsType 2 text
  partition 3 integer
  readOnly 4 boolean
type AWSElasticBlockStoreVolumeSource
  volumeID 1 text
  fsType 2 text
  partition 3 integer
  readOnly 4 boolean
type HostPathVolumeSource
  path 1 text
  type 2 text
type GlusterfsPersistentVolumeSource
  endpoints 1 text
  path 2 text
  readOnly 3 boolean
  endpointsNamespace 4 text
type NFSVolumeSource
  server 1 text
  path 2 text
  readOnly 3 boolean
type RBDPersistentVolumeSource
  monitors 1 []text
  image 2 text
  fsType 3 text
  pool 4 text
  user 5 text
  keyring 6 text
  secretRef 7 SecretReference
  readOnly 8 boolean
type ISCSIPersistentVolumeSource
  targetPortal 1 text
  iqn 2 text
  lun 3 integer
  iscsiInterface 4 text
  fsType 5 text
  readOnly 6 boolean
  portals 7 []text
  chapAuthDiscovery 8 boolean
  chapAuthSession 11 boolean
  secretRef 10 SecretReference
  initiatorName 12 text
type CinderPersistentVolumeSource
  volumeID 1 text
  fsType 2 text
  readOnly 3 boolean
  secretRef 4 SecretReference
type CephFSPersistentVolumeSource
  monitors 1 []text
  path 2 text
  user 3 text
  secretFile 4 text
  secretRef 5 SecretReference
  readOnly 6 boolean
type FCVolumeSource
  targetWWNs 1 []text
  lun 2 integer
  fsType 3 text
  readOnly 4 boolean
  wwids 5 []text
type FlockerVolumeSource
  datasetName 1 text
  datasetUUID 2 text
type FlexPersistentVolumeSource
  driver 1 text
  fsType 2 text
  secretRef 3 SecretReference
  readOnly 4 boolean
  options 5 {}text
type AzureFilePersistentVolumeSource
  secretName 1 text
  shareName 2 text
  readOnly 3 boolean
  secretNamespace 4 text
type VsphereVirtualDiskVolumeSource
  volumePath 1 text
  fsType 2 text
  storagePolicyName 3 text
  storagePolicyID 4 text
type QuobyteVolumeSource
  registry 1 text
  volume 2 text
  readOnly 3 boolean
  user 4 text
  group 5 text
  tenant 6 text
type AzureDiskVolumeSource
  diskName 1 text
  diskURI 2 text
  cachingMode 3 text
  fsType 4 text
  readOnly 5 boolean
  kind 6 text
type PhotonPersistentDiskVolumeSource
  pdID 1 text
  fsType 2 text
type PortworxVolumeSource
  volumeID 1 text
  fsType 2 text
  readOnly 3 boolean
type ScaleIOPersistentVolumeSource
  gateway 1 text
  system 2 text
  secretRef 3 SecretReference
  sslEnabled 4 boolean
  protectionDomain 5 text
  storagePool 6 text
  storageMode 7 text
  volumeName 8 text
  fsType 9 text
  readOnly 10 boolean
type LocalVolumeSource
  path 1 text
  fsType 2 text
type StorageOSPersistentVolumeSource
  volumeName 1 text
  volumeNamespace 2 text
  fsType 3 text
  readOnly 4 boolean
  secretRef 5 ObjectReference
type CSIPersistentVolumeSource
  driver 1 text
  volumeHandle 2 text
  readOnly 3 boolean
  fsType 4 text
  volumeAttributes 5 {}text
  controllerPublishSecretRef 6 SecretReference
  nodeStageSecretRef 7 SecretReference
  nodePublishSecretRef 8 SecretReference
  controllerExpandSecretRef 9 SecretReference
  nodeExpandSecretRef 10 SecretReference
type NodeSelector atomic
  nodeSelectorTerms 1 []NodeSelectorTerm
type EmptyDirVolumeSource
  medium 1 text
  sizeLimit 2 quantity
  mode 3 integer
type GitRepoVolumeSource
  repository 1 text
  revision 2 text
  directory 3 text
type SecretVolumeSource
  secretName 1 text
  items 2 []KeyToPath
  defaultMode 3 integer
  optional 4 boolean
  defaultUser 5 integer
type ISCSIVolumeSource
  targetPortal 1 text
  iqn 2 text
  lun 3 integer
  iscsiInterface 4 text
  fsType 5 text
  readOnly 6 boolean
  portals 7 []text
  chapAuthDiscovery 8 boolean
  chapAuthSession 11 boolean
  secretRef 10 LocalObjectReference
  initiatorName 12 text
type GlusterfsVolumeSource
  endpoints 1 text
  path 2 text
  readOnly 3 boolean
type PersistentVolumeClaimVolumeSource
  claimName 1 text
  readOnly 2 boolean
type RBDVolumeSource
  monitors 1 []text
  image 2 text
  fsType 3 text
  pool 4 text
  user 5 text
  keyring 6 text
  secretRef 7 LocalObjectReference
  readOnly 8 boolean
type FlexVolumeSource
  driver 1 text
  fsType 2 text
  secretRef 3 LocalObjectReference
  readOnly 4 boolean
  options 5 {}text
type CinderVolumeSource
  volumeID 1 text
  fsType 2 text
  readOnly 3 boolean
  secretRef 4 LocalObjectReference
type CephFSVolumeSource
  monitors 1 []text
  path 2 text
  user 3 text
  secretFile 4 text
  secretRef 5 LocalObjectReference
  readOnly 6 boolean
type DownwardAPIVolumeSource
  items 1 []DownwardAPIVolumeFile
  defaultMode 2 integer
  defaultUser 3 integer
type AzureFileVolumeSource
  secretName 1 text
  shareName 2 text
  readOnly 3 boolean
type ConfigMapVolumeSource
  localObjectReference 1 LocalObjectReference inline
  items 2 []KeyToPath
  defaultMode 3 integer
  optional 4 boolean
  defaultUser 5 integer
type ProjectedVolumeSource
  sources 1 []VolumeProjection
  defaultMode 2 integer
  defaultUser 3 integer
type ScaleIOVolumeSource
  gateway 1 text
  system 2 text
  secretRef 3 LocalObjectReference
  sslEnabled 4 boolean
  protectionDomain 5 text
  storagePool 6 text
  storageMode 7 text
  volumeName 8 text
  fsType 9 text
  readOnly 10 boolean
type StorageOSVolumeSource
  volumeName 1 text
  volumeNamespace 2 text
  fsType 3 text
  readOnly 4 boolean
  secretRef 5 LocalObjectReference
type CSIVolumeSource
  driver 1 text
  readOnly 2 boolean
  fsType 3 text
  volumeAttributes 4 {}text
  nodePublishSecretRef 5 LocalObjectReference
type EphemeralVolumeSource
  volumeClaimTemplate 1 PersistentVolumeClaimTemplate
type ImageVolumeSource
  reference 1 text
  pullPolicy 2 text
type ConfigMapEnvSource
  localObjectReference 1 LocalObjectReference inline
  optional 2 boolean
type SecretEnvSource
  localObjectReference 1 LocalObjectReference inline
  optional 2 boolean
type EnvVarSource
  fieldRef 1 ObjectFieldSelector
  resourceFieldRef 2 ResourceFieldSelector
  configMapKeyRef 3 ConfigMapKeySelector
  secretKeyRef 4 SecretKeySelector
  fileKeyRef 5 FileKeySelector
type ContainerRestartRuleOnExitCodes
  operator 1 text
  values 2 []integer set
type ProbeHandler
  exec 1 ExecAction
  httpGet 2 HTTPGetAction
  tcpSocket 3 TCPSocketAction
  grpc 4 GRPCAction
type LifecycleHandler
  exec 1 ExecAction
  httpGet 2 HTTPGetAction
  tcpSocket 3 TCPSocketAction
  sleep 4 SleepAction
type Capabilities
  add 1 []text
  drop 2 []text
type PreferredSchedulingTerm
  weight 1 integer
  preference 2 NodeSelectorTerm
type PodAffinityTerm
  labelSelector 1 meta.v1.LabelSelector
  namespaces 2 []text
  topologyKey 3 text
  namespaceSelector 4 meta.v1.LabelSelector
  matchLabelKeys 5 []text
  mismatchLabelKeys 6 []text
type WeightedPodAffinityTerm
  weight 1 integer
  podAffinityTerm 2 PodAffinityTerm
type ContainerStateWaiting
  reason 1 text
  message 2 text
type ContainerStateRunning
  startedAt 1 time
type ContainerStateTerminated
  exitCode 1 integer
  signal 2 integer
  reason 3 text
  message 4 text
  startedAt 5 time
  finishedAt 6 time
  containerID 7 text
type VolumeStatus
  image 1 ImageVolumeStatus
type LinuxContainerUser
  uid 1 integer
  gid 2 integer
  supplementalGroups 3 []integer
type ResourceHealth
  resourceID 1 text
  health 2 text
  message 6 text
type PortStatus
  port 1 integer
  protocol 2 text
  error 3 text
type SecretReference atomic
  name 1 text
  namespace 2 text
type NodeSelectorTerm atomic
  matchExpressions 1 []NodeSelectorRequirement
  matchFields 2 []NodeSelectorRequirement
type KeyToPath
  key 1 text
  path 2 text
  mode 3 integer
  user 4 integer
type DownwardAPIVolumeFile
  path 1 text
  fieldRef 2 ObjectFieldSelector
  resourceFieldRef 3 ResourceFieldSelector
  mode 4 integer
  user 5 integer
type VolumeProjection
  secret 1 SecretProjection
  downwardAPI 2 DownwardAPIProjection
  configMap 3 ConfigMapProjection
  serviceAccountToken 4 ServiceAccountTokenProjection
  clusterTrustBundle 5 ClusterTrustBundleProjection
  podCertificate 6 PodCertificateProjection
type PersistentVolumeClaimTemplate
  metadata 1 meta.v1.ObjectMeta
  spec 2 PersistentVolumeClaimSpec
type ObjectFieldSelector atomic
  apiVersion 1 text
  fieldPath 2 text
type ResourceFieldSelector atomic
  containerName 1 text
  resource 2 text
  divisor 3 quantity
type ConfigMapKeySelector atomic
  localObjectReference 1 LocalObjectReference inline
  key 2 text
  optional 3 boolean
type SecretKeySelector atomic
  localObjectReference 1 LocalObjectReference inline
  key 2 text
  optional 3 boolean
type FileKeySelector atomic
  volumeName 1 text
  path 2 text
  key 3 text
  optional 4 boolean
type ExecAction
  command 1 []text
type HTTPGetAction
  path 1 text
  port 2 intOrString
  host 3 text
  scheme 4 text
  httpHeaders 5 []HTTPHeader
  protocol 6 text
type TCPSocketAction
  port 1 intOrString
  host 2 text
type GRPCAction
  port 1 integer
  service 2 text
  mode 3 text
type SleepAction
  seconds 1 integer
type ImageVolumeStatus
  imageRef 1 text
type NodeSelectorRequirement
  key 1 text
  operator 2 text
  values 3 []text
type SecretProjection
  localObjectReference 1 LocalObjectReference inline
  items 2 []KeyToPath
  optional 4 boolean
type DownwardAPIProjection
  items 1 []DownwardAPIVolumeFile
type ConfigMapProjection
  localObjectReference 1 LocalObjectReference inline
  items 2 []KeyToPath
  optional 4 boolean
type ServiceAccountTokenProjection
  audience 1 text
  expirationSeconds 2 integer
  path 3 text
  user 4 integer
type ClusterTrustBundleProjection
  name 1 text
  signerName 2 text
  labelSelector 3 meta.v1.LabelSelector
  optional 5 boolean
  path 4 text
  user 6 integer
type PodCertificateProjection
  signerName 1 text
  keyType 2 text
  maxExpirationSeconds 3 integer
  credentialBundlePath 4 text
  keyPath 5 text
  certificateChainPath 6 text
  userAnnotations 7 {}text
  user 8 integer
type HTTPHeader
  name 1 text
  value 2 text
)types",
R"types(package apps.v1
type Deployment kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 DeploymentSpec
  status 3 DeploymentStatus
type ReplicaSet kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 ReplicaSetSpec
  status 3 ReplicaSetStatus
type DeploymentSpec
  replicas 1 integer
  selector 2 meta.v1.LabelSelector
  template 3 core.v1.PodTemplateSpec
  strategy 4 DeploymentStrategy retainKeys
  minReadySeconds 5 integer
  revisionHistoryLimit 6 integer
  paused 7 boolean
  progressDeadlineSeconds 9 integer
type DeploymentStatus
  observedGeneration 1 integer
  replicas 2 integer
  updatedReplicas 3 integer
  readyReplicas 7 integer
  availableReplicas 4 integer
  unavailableReplicas 5 integer
  terminatingReplicas 9 integer
  conditions 6 []DeploymentCondition map=type merge=type
  collisionCount 8 integer
type ReplicaSetSpec
  replicas 1 integer
  minReadySeconds 4 integer
  selector 2 meta.v1.LabelSelector
  template 3 core.v1.PodTemplateSpec
type ReplicaSetStatus
  replicas 1 integer
  fullyLabeledReplicas 2 integer
  readyReplicas 4 integer
  availableReplicas 5 integer
  terminatingReplicas 7 integer
  observedGeneration 3 integer
  conditions 6 []ReplicaSetCondition map=type merge=type
type DeploymentStrategy
  type 1 text
  rollingUpdate 2 RollingUpdateDeployment
type DeploymentCondition
  type 1 text
  status 2 text
  lastUpdateTime 6 time
  lastTransitionTime 7 time
  reason 4 text
  message 5 text
type ReplicaSetCondition
  type 1 text
  status 2 text
  lastTransitionTime 3 time
  reason 4 text
  message 5 text
type RollingUpdateDeployment
  maxUnavailable 1 intOrString
  maxSurge 2 intOrString
)types",
R"types(package autoscaling.v1
type Scale kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 ScaleSpec
  status 3 ScaleStatus
type HorizontalPodAutoscaler kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 HorizontalPodAutoscalerSpec
  status 3 HorizontalPodAutoscalerStatus
type ScaleSpec
  replicas 1 integer
type ScaleStatus
  replicas 1 integer
  selector 2 text
type HorizontalPodAutoscalerSpec
  scaleTargetRef 1 CrossVersionObjectReference
  minReplicas 2 integer
  maxReplicas 3 integer
  targetCPUUtilizationPercentage 4 integer
type HorizontalPodAutoscalerStatus
  observedGeneration 1 integer
  lastScaleTime 2 time
  currentReplicas 3 integer
  desiredReplicas 4 integer
  currentCPUUtilizationPercentage 5 integer
type CrossVersionObjectReference atomic
  kind 1 text
  name 2 text
  apiVersion 3 text
)types",
R"types(package autoscaling.v2
type HorizontalPodAutoscaler kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 HorizontalPodAutoscalerSpec
  status 3 HorizontalPodAutoscalerStatus
type HorizontalPodAutoscalerSpec
  scaleTargetRef 1 CrossVersionObjectReference
  minReplicas 2 integer
  maxReplicas 3 integer
  metrics 4 []MetricSpec
  behavior 5 HorizontalPodAutoscalerBehavior
type HorizontalPodAutoscalerStatus
  observedGeneration 1 integer
  lastScaleTime 2 time
  currentReplicas 3 integer
  desiredReplicas 4 integer
  currentMetrics 5 []MetricStatus
  conditions 6 []HorizontalPodAutoscalerCondition map=type merge=type
type CrossVersionObjectReference
  kind 1 text
  name 2 text
  apiVersion 3 text
type MetricSpec
  type 1 text
  object 2 ObjectMetricSource
  pods 3 PodsMetricSource
  resource 4 ResourceMetricSource
  containerResource 7 ContainerResourceMetricSource
  external 5 ExternalMetricSource
type HorizontalPodAutoscalerBehavior
  scaleUp 1 HPAScalingRules
  scaleDown 2 HPAScalingRules
type MetricStatus
  type 1 text
  object 2 ObjectMetricStatus
  pods 3 PodsMetricStatus
  resource 4 ResourceMetricStatus
  containerResource 7 ContainerResourceMetricStatus
  external 5 ExternalMetricStatus
type HorizontalPodAutoscalerCondition
  type 1 text
  status 2 text
  lastTransitionTime 3 time
  reason 4 text
  message 5 text
  observedGeneration 6 integer
type ObjectMetricSource
  describedObject 1 CrossVersionObjectReference
  target 2 MetricTarget
  metric 3 MetricIdentifier
type PodsMetricSource
  metric 1 MetricIdentifier
  target 2 MetricTarget
type ResourceMetricSource
  name 1 text
  target 2 MetricTarget
type ContainerResourceMetricSource
  name 1 text
  target 2 MetricTarget
  container 3 text
type ExternalMetricSource
  metric 1 MetricIdentifier
  target 2 MetricTarget
type HPAScalingRules
  stabilizationWindowSeconds 3 integer
  selectPolicy 1 text
  policies 2 []HPAScalingPolicy
  tolerance 4 quantity
type ObjectMetricStatus
  metric 1 MetricIdentifier
  current 2 MetricValueStatus
  describedObject 3 CrossVersionObjectReference
type PodsMetricStatus
  metric 1 MetricIdentifier
  current 2 MetricValueStatus
type ResourceMetricStatus
  name 1 text
  current 2 MetricValueStatus
type ContainerResourceMetricStatus
  name 1 text
  current 2 MetricValueStatus
  container 3 text
type ExternalMetricStatus
  metric 1 MetricIdentifier
  current 2 MetricValueStatus
type MetricTarget
  type 1 text
  value 2 quantity
  averageValue 3 quantity
  averageUtilization 4 integer
type MetricIdentifier
  name 1 text
  selector 2 meta.v1.LabelSelector
type HPAScalingPolicy
  type 1 text
  value 2 integer
  periodSeconds 3 integer
type MetricValueStatus
  value 1 quantity
  averageValue 2 quantity
  averageUtilization 3 integer
)types",
R"types(package coordination.v1
type Lease kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 LeaseSpec
type LeaseSpec
  holderIdentity 1 text
  leaseDurationSeconds 2 integer
  acquireTime 3 microTime
  renewTime 4 microTime
  leaseTransitions 5 integer
  strategy 6 text
  preferredHolder 7 text
)types",
R"types(package discovery.v1
type EndpointSlice kind
  metadata 1 meta.v1.ObjectMeta
  addressType 4 text
  endpoints 2 []Endpoint
  ports 3 []EndpointPort
type Endpoint
  addresses 1 []text set
  conditions 2 EndpointConditions
  hostname 3 text
  targetRef 4 core.v1.ObjectReference
  deprecatedTopology 5 {}text
  nodeName 6 text
  zone 7 text
  hints 8 EndpointHints
type EndpointPort atomic
  name 1 text
  protocol 2 text
  port 3 integer
  appProtocol 4 text
type EndpointConditions
  ready 1 boolean
  serving 2 boolean
  terminating 3 boolean
type EndpointHints
  forZones 1 []ForZone
  forNodes 2 []ForNode
type ForZone
  name 1 text
type ForNode
  name 1 text
)types",
R"types(package networking.v1
type NetworkPolicy kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 any
type Ingress kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 IngressSpec
  status 3 IngressStatus
type IngressSpec
  ingressClassName 4 text
  defaultBackend 1 IngressBackend
  tls 2 []IngressTLS
  rules 3 []IngressRule
type IngressStatus
  loadBalancer 1 IngressLoadBalancerStatus
type IngressBackend
  service 4 IngressServiceBackend
  resource 3 core.v1.TypedLocalObjectReference
type IngressTLS
  hosts 1 []text
  secretName 2 text
type IngressRule
  host 1 text
  ingressRuleValue 2 IngressRuleValue inline
type IngressLoadBalancerStatus
  ingress 1 []IngressLoadBalancerIngress
type IngressServiceBackend
  name 1 text
  port 2 ServiceBackendPort
type IngressRuleValue
  http 1 HTTPIngressRuleValue
type IngressLoadBalancerIngress
  ip 1 text
  hostname 2 text
  ports 4 []IngressPortStatus
type ServiceBackendPort atomic
  name 1 text
  number 2 integer
type HTTPIngressRuleValue
  paths 1 []HTTPIngressPath
type IngressPortStatus
  port 1 integer
  protocol 2 text
  error 3 text
type HTTPIngressPath
  path 1 text
  pathType 3 text
  backend 2 IngressBackend
)types",
R"types(package rbac.authorization.v1
type Role kind
  metadata 1 meta.v1.ObjectMeta
  rules 2 []PolicyRule
type RoleBinding kind
  metadata 1 meta.v1.ObjectMeta
  subjects 2 []Subject
  roleRef 3 RoleRef
type ClusterRole kind
  metadata 1 meta.v1.ObjectMeta
  rules 2 []PolicyRule
  aggregationRule 3 AggregationRule
type ClusterRoleBinding kind
  metadata 1 meta.v1.ObjectMeta
  subjects 2 []Subject
  roleRef 3 RoleRef
type PolicyRule
  verbs 1 []text
  apiGroups 2 []text
  resources 3 []text
  resourceNames 4 []text
  nonResourceURLs 5 []text
type Subject
  kind 1 text
  apiGroup 2 text
  name 3 text
  namespace 4 text
type RoleRef atomic
  apiGroup 1 text
  kind 2 text
  name 3 text
type AggregationRule
  clusterRoleSelectors 1 []meta.v1.LabelSelector
)types",
R"types(package admissionregistration.v1
type ValidatingWebhookConfiguration kind
  metadata 1 meta.v1.ObjectMeta
  webhooks 2 []ValidatingWebhook map=name merge=name
type MutatingWebhookConfiguration kind
  metadata 1 meta.v1.ObjectMeta
  webhooks 2 []MutatingWebhook map=name merge=name
type ValidatingAdmissionPolicy kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 any
  status 3 any
type ValidatingAdmissionPolicyBinding kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 any
type ValidatingWebhook
  name 1 text
  clientConfig 2 WebhookClientConfig
  rules 3 []RuleWithOperations
  failurePolicy 4 text
  namespaceSelector 5 meta.v1.LabelSelector
  sideEffects 6 text
  timeoutSeconds 7 integer
  admissionReviewVersions 8 []text
  matchPolicy 9 text
  objectSelector 10 meta.v1.LabelSelector
  matchConditions 11 []MatchCondition map=name merge=name
type MutatingWebhook
  name 1 text
  clientConfig 2 WebhookClientConfig
  rules 3 []RuleWithOperations
  failurePolicy 4 text
  namespaceSelector 5 meta.v1.LabelSelector
  sideEffects 6 text
  timeoutSeconds 7 integer
  admissionReviewVersions 8 []text
  matchPolicy 9 text
  reinvocationPolicy 10 text
  objectSelector 11 meta.v1.LabelSelector
  matchConditions 12 []MatchCondition map=name merge=name
type RuleWithOperations
  operations 1 []text
  rule 2 Rule inline
type Rule
  apiGroups 1 []text
  apiVersions 2 []text
  resources 3 []text
  scope 4 text
type WebhookClientConfig
  service 1 ServiceReference
  caBundle 2 bytes
  url 3 text
type ServiceReference
  namespace 1 text
  name 2 text
  path 3 text
  port 4 integer
type MatchCondition
  name 1 text
  expression 2 text
)types",
R"types(package apiextensions.v1
type CustomResourceDefinition kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 CustomResourceDefinitionSpec
  status 3 CustomResourceDefinitionStatus
type CustomResourceDefinitionSpec
  group 1 text
  names 3 CustomResourceDefinitionNames
  scope 4 text
  versions 7 []CustomResourceDefinitionVersion
  conversion 9 CustomResourceConversion
  preserveUnknownFields 10 boolean
type CustomResourceDefinitionNames
  plural 1 text
  singular 2 text
  shortNames 3 []text
  kind 4 text
  listKind 5 text
  categories 6 []text
type CustomResourceDefinitionVersion
  name 1 text
  served 2 boolean
  storage 3 boolean
  schema 4 CustomResourceValidation
  subresources 5 CustomResourceSubresources
  additionalPrinterColumns 6 []CustomResourceColumnDefinition
  deprecated 7 boolean
  deprecationWarning 8 text
  selectableFields 9 []SelectableField
type CustomResourceValidation
  openAPIV3Schema 1 any
type CustomResourceSubresources
  status 1 any
  scale 2 CustomResourceSubresourceScale
type CustomResourceSubresourceScale
  specReplicasPath 1 text
  statusReplicasPath 2 text
  labelSelectorPath 3 text
type CustomResourceColumnDefinition
  name 1 text
  type 2 text
  format 3 text
  description 4 text
  priority 5 integer
  jsonPath 6 text
type SelectableField
  jsonPath 1 text
type CustomResourceConversion
  strategy 1 text
  webhook 2 any
type CustomResourceDefinitionStatus
  conditions 1 []CustomResourceDefinitionCondition map=type
  acceptedNames 2 CustomResourceDefinitionNames
  storedVersions 3 []text
type CustomResourceDefinitionCondition
  type 1 text
  status 2 text
  lastTransitionTime 3 time
  reason 4 text
  message 5 text
)types",
R"types(package apiregistration.v1
type APIService kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 any
  status 3 any
)types",
R"types(package policy.v1
type PodDisruptionBudget kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 PodDisruptionBudgetSpec
  status 3 PodDisruptionBudgetStatus
type Eviction kind
  metadata 1 meta.v1.ObjectMeta
  deleteOptions 2 meta.v1.DeleteOptions
type PodDisruptionBudgetSpec
  minAvailable 1 intOrString
  selector 2 meta.v1.LabelSelector
  maxUnavailable 3 intOrString
  unhealthyPodEvictionPolicy 4 text
type PodDisruptionBudgetStatus
  observedGeneration 1 integer
  disruptedPods 2 {}time
  disruptionsAllowed 3 integer
  currentHealthy 4 integer
  desiredHealthy 5 integer
  expectedPods 6 integer
  conditions 7 []meta.v1.Condition map=type merge=type
)types",
R"types(package authorization.v1
type SelfSubjectAccessReview kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 SelfSubjectAccessReviewSpec
  status 3 SubjectAccessReviewStatus
type SubjectAccessReview kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 SubjectAccessReviewSpec
  status 3 SubjectAccessReviewStatus
type LocalSubjectAccessReview kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 SubjectAccessReviewSpec
  status 3 SubjectAccessReviewStatus
type SelfSubjectRulesReview kind
  metadata 1 meta.v1.ObjectMeta
  spec 2 SelfSubjectRulesReviewSpec
  status 3 any
type SelfSubjectRulesReviewSpec
  namespace 1 text
type SubjectAccessReviewSpec
  resourceAttributes 1 ResourceAttributes
  nonResourceAttributes 2 NonResourceAttributes
  user 3 text
  groups 4 []text
  extra 5 {}[]text
  uid 6 text
type SelfSubjectAccessReviewSpec
  resourceAttributes 1 ResourceAttributes
  nonResourceAttributes 2 NonResourceAttributes
type SubjectAccessReviewStatus
  allowed 1 boolean
  denied 4 boolean
  reason 2 text
  evaluationError 3 text
type ResourceAttributes
  namespace 1 text
  verb 2 text
  group 3 text
  version 4 text
  resource 5 text
  subresource 6 text
  name 7 text
  fieldSelector 8 FieldSelectorAttributes
  labelSelector 9 LabelSelectorAttributes
type NonResourceAttributes
  path 1 text
  verb 2 text
type FieldSelectorAttributes
  rawSelector 1 text
  requirements 2 []meta.v1.FieldSelectorRequirement
type LabelSelectorAttributes
  rawSelector 1 text
  requirements 2 []meta.v1.LabelSelectorRequirement
)types",
R"types(package authentication.v1
type SelfSubjectReview kind
  metadata 1 meta.v1.ObjectMeta
  status 2 SelfSubjectReviewStatus
type SelfSubjectReviewStatus
  userInfo 1 UserInfo
type UserInfo
  username 1 text
  uid 2 text
  groups 3 []text
  extra 4 {}[]text
)types",
R"types(package storage.v1
type StorageClass kind
  metadata 1 meta.v1.ObjectMeta
  provisioner 2 text
  parameters 3 {}text
  reclaimPolicy 4 text
  mountOptions 5 []text
  allowVolumeExpansion 6 boolean
  volumeBindingMode 7 text
  allowedTopologies 8 []core.v1.TopologySelectorTerm
)types",
R"types(package scheduling.v1
type PriorityClass kind
  metadata 1 meta.v1.ObjectMeta
  value 2 integer
  globalDefault 3 boolean
  description 4 text
  preemptionPolicy 5 text
)types",
R"types(package meta.v1
type DeleteOptions kind
  gracePeriodSeconds 1 integer
  preconditions 2 Preconditions
  orphanDependents 3 boolean
  propagationPolicy 4 text
  dryRun 5 []text
  ignoreStoreReadErrorWithClusterBreakingPotential 6 boolean
type Status kind
  metadata 1 ListMeta
  status 2 text
  message 3 text
  reason 4 text
  details 5 StatusDetails
  code 6 integer
type ObjectMeta
  name 1 text
  generateName 2 text
  namespace 3 text
  selfLink 4 text
  uid 5 text
  resourceVersion 6 text
  generation 7 integer
  creationTimestamp 8 time
  deletionTimestamp 9 time
  deletionGracePeriodSeconds 10 integer
  labels 11 {}text
  annotations 12 {}text
  ownerReferences 13 []OwnerReference map=uid merge=uid
  finalizers 14 []text set merge
  managedFields 17 []ManagedFieldsEntry
type Preconditions
  uid 1 text
  resourceVersion 2 text
type ListMeta
  selfLink 1 text
  resourceVersion 2 text
  continue 3 text
  remainingItemCount 4 integer
  shardInfo 5 ShardInfo
type StatusDetails
  name 1 text
  group 2 text
  kind 3 text
  uid 6 text
  causes 4 []StatusCause
  retryAfterSeconds 5 integer
type OwnerReference atomic
  apiVersion 5 text
  kind 1 text
  name 3 text
  uid 4 text
  controller 6 boolean
  blockOwnerDeletion 7 boolean
type ManagedFieldsEntry
  manager 1 text
  operation 2 text
  apiVersion 3 text
  time 4 time
  fieldsType 6 text
  fieldsV1 7 any
  subresource 8 text
type Condition
  type 1 text
  status 2 text
  observedGeneration 3 integer
  lastTransitionTime 4 time
  reason 5 text
  message 6 text
type LabelSelector atomic
  matchLabels 1 {}text
  matchExpressions 2 []LabelSelectorRequirement
type ShardInfo
  selector 1 text
type StatusCause
  reason 1 text
  message 2 text
  field 3 text
type LabelSelectorRequirement
  key 1 text
  operator 2 text
  values 3 []text
type FieldSelectorRequirement
  key 1 text
  operator 2 text
  values 3 []text
)types",
  };
  return kPackages;
}

}  // namespace tidegate::schema
