/** The pod of a unit: one container under restricted rights, its probes, and how it stops. */
import { commandOf } from "../file.ts"
import { hash } from "../naming.ts"
import { cpuQuantity, memoryQuantity } from "../quantity.ts"
import type { Commented } from "../yaml.ts"
import { configMapName, valuesOf } from "./configMap.ts"
import { secretName } from "./secret.ts"
import { labelsOf, stopping, type Target, telemetryVariables } from "./target.ts"
import { waitForDependencies } from "./waitForDependencies.ts"

/** The labels and annotations of the pods of a unit. */
export const podMetadata = (target: Target) => ({
  labels: labelsOf(target),
  annotations: {
    // A pod reads its ConfigMap when it starts: other values are other pods.
    "checksum/config": hash(JSON.stringify(valuesOf(target))),
    "prometheus.io/scrape": "true",
    "prometheus.io/path": "/metrics",
    "prometheus.io/port": String(target.port)
  }
})

/** What a pod may do: what the Pod Security Standard "restricted" lets, as the user `node` of the image of Node. */
export const podSecurity = {
  runAsNonRoot: true,
  runAsUser: 1000,
  runAsGroup: 1000,
  fsGroup: 1000,
  seccompProfile: { type: "RuntimeDefault" }
} as const

const containerSecurity = {
  allowPrivilegeEscalation: false,
  readOnlyRootFilesystem: true,
  capabilities: { drop: ["ALL"] }
} as const

/** What pods of a unit have whatever starts them. */
export const podBase = (target: Target) => ({
  serviceAccountName: target.name,
  automountServiceAccountToken: false,
  // Else the cluster sets variables such as DETECTOR_PORT for each of its Services.
  enableServiceLinks: false,
  terminationGracePeriodSeconds: stopping(target).grace,
  securityContext: podSecurity,
  ...scheduling(target),
  topologySpreadConstraints: ["kubernetes.io/hostname", "topology.kubernetes.io/zone"].map((topologyKey) => ({
    maxSkew: 1,
    topologyKey,
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: target.selector }
  })),
  ...waitForDependencies(target)
})

export const temporary = { name: "tmp", emptyDir: {} } as const

/** Where a pod may run: on the machines that have what the unit asks for. */
const scheduling = ({ unit: { instanceType, resources } }: Target) => {
  const { gpu = 0, gpuType } = resources
  const selector = {
    ...(instanceType === undefined ? {} : { "node.kubernetes.io/instance-type": labelValue(instanceType) }),
    ...(gpu === 0 || gpuType === undefined ? {} : { "nvidia.com/gpu.product": labelValue(gpuType) })
  }
  return {
    ...(Object.keys(selector).length === 0 ? {} : { nodeSelector: selector }),
    ...(gpu === 0 ? {} : { tolerations: [{ key: "nvidia.com/gpu", operator: "Exists", effect: "NoSchedule" }] })
  }
}

/** What a label can hold: GPU feature discovery, too, has hyphens where a name has spaces. */
const labelValue = (text: string): string =>
  text.replace(/[^A-Za-z0-9._-]+/g, "-").slice(0, 63).replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, "")

/** The container of a unit. */
export const container = (
  target: Target,
  name: string,
  portName: string,
  env: ReadonlyArray<object> = environment(target)
) => ({
  name,
  image: target.image,
  command: commandOf(target.unit.name, target.port, target.options.command),
  ports: [{ name: portName, containerPort: target.port, protocol: "TCP" }],
  ...(env.length === 0 ? {} : { env }),
  ...(Object.keys(valuesOf(target)).length === 0
    ? {}
    : { envFrom: [{ configMapRef: { name: configMapName(target) } }] }),
  ...resources(target),
  startupProbe: { ...probe("/readyz", portName), periodSeconds: 5, failureThreshold: 120 },
  readinessProbe: { ...probe("/readyz", portName), periodSeconds: 5, failureThreshold: 2 },
  livenessProbe: { ...probe("/livez", portName), periodSeconds: 10, failureThreshold: 3 },
  lifecycle: { preStop: { sleep: { seconds: stopping(target).drain } } },
  securityContext: containerSecurity,
  volumeMounts: [{ name: temporary.name, mountPath: "/tmp" }]
})

const probe = (path: string, port: string) => ({ httpGet: { path, port }, timeoutSeconds: 5 })

/** What is no value of the ConfigMap; those are read all together. */
export const environment = (target: Target) => [
  ...target.variables.flatMap((variable): ReadonlyArray<object> => {
    switch (variable.kind) {
      case "address":
        return [{ name: variable.name, value: literal(variable.value) }]
      case "open":
        return [{
          name: variable.name,
          valueFrom: { configMapKeyRef: { name: configMapName(target), key: variable.name } }
        }]
      case "secret":
        return [{ name: variable.name, valueFrom: { secretKeyRef: { name: secretName(target), key: variable.name } } }]
      default:
        return []
    }
  }),
  ...telemetryVariables(target).map(([name, value]) => ({ name, value: literal(value) }))
]

/** `$(NAME)` in a value would be replaced by another variable. */
const literal = (text: string): string => text.replaceAll("$(", () => "$$(")

/**
 * No limit of the processor, which would stop a call in its middle; memory has one, for the process counts on it.
 *
 * A share of the processor to aim at is one of what is asked for, so something is.
 */
const resources = ({ unit: { resources, scaling } }: Target) => {
  const cpu = cpuQuantity(resources) ?? (scaling?.target.cpu === undefined ? undefined : "1")
  const memory = memoryQuantity(resources)
  const { gpu = 0 } = resources
  const gpus = gpu === 0 ? {} : { "nvidia.com/gpu": String(gpu) }
  const requests = { ...(cpu === undefined ? {} : { cpu }), ...(memory === undefined ? {} : { memory }), ...gpus }
  const limits = { ...(memory === undefined ? {} : { memory }), ...gpus }
  return Object.keys(requests).length === 0
    ? {}
    : { resources: { requests, ...(Object.keys(limits).length === 0 ? {} : { limits }) } }
}

/** What to say above places of a pod; `pod` and `container` are the paths to them. */
export const podComments = (
  target: Target,
  pod: ReadonlyArray<string | number>,
  container: ReadonlyArray<string | number>
): Commented["comments"] => {
  const { unit: { image, resources: { cpu = 0, gpu = 0, gpuType }, scaling }, variables } = target
  return [
    ...(image === undefined ? [[[...container, "image"], "Edit: the image that you have pushed."] as const] : []),
    ...(variables.some(({ kind }) => kind === "secret")
      ? [[[...container, "env"], `The Secret ${secretName(target)} is not made here: see above.`] as const]
      : []),
    ...(cpu === 0 && scaling?.target.cpu !== undefined
      ? [
        [
          [...container, "resources"],
          "Edit: the unit asks for no cpu, and the target of its scaling is a share of it."
        ] as const
      ]
      : []),
    ...(gpu > 0 && gpuType !== undefined
      ? [
        [[...pod, "nodeSelector"], "Edit: the label as your nodes have it (kubectl get nodes --show-labels)."] as const
      ]
      : []),
    [[...container, "startupProbe"], "Ten minutes to load its models."]
  ]
}
