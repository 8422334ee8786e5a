/** What the objects of a unit are made from, and what all of them have. */
import type { DeploymentDescription, UnitDescription } from "../../Description.ts"
import { environmentOf, type Variable } from "../environment.ts"
import { addressOf, type ContainerOptions, defaultPort, telemetryOf } from "../file.ts"
import { type Names, names } from "../naming.ts"
import { seconds } from "../quantity.ts"

/**
 * How a deployment runs in a cluster. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface KubernetesOptions extends ContainerOptions {
  /** The namespace, which is made, too: the name of the deployment. */
  readonly namespace?: string | undefined
  /** The gateway of the routes to exposed units, and its namespace: `gateway`, in the namespace of that name. */
  readonly gateway?: { readonly name: string; readonly namespace: string } | undefined
  /** The hosts that the routes answer to. Without any they answer to all that the gateway has. */
  readonly hostnames?: ReadonlyArray<string> | undefined
  /** The namespace in which Prometheus runs, which may read `/metrics`: `monitoring`. */
  readonly monitoringNamespace?: string | undefined
  /** Where KEDA asks Prometheus: `http://prometheus-operated.monitoring.svc.cluster.local:9090`. */
  readonly prometheus?: string | undefined
}

/** An object of Kubernetes. */
export interface Manifest {
  readonly apiVersion: string
  readonly kind: string
  readonly metadata: Metadata
  readonly [field: string]: unknown
}

/** What names an object and says what it belongs to. */
export interface Metadata {
  readonly name: string
  readonly namespace?: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}

/** A unit that runs in a cluster. */
export interface Target {
  readonly unit: UnitDescription
  readonly description: DeploymentDescription
  readonly options: KubernetesOptions
  readonly names: Names
  readonly name: string
  /** The Deployment that runs its pods, which have its name in front of theirs. */
  readonly workload: string
  readonly namespace: string
  readonly image: string
  readonly port: number
  /** The labels by which its pods are found; they never change. */
  readonly selector: Readonly<Record<string, string>>
  readonly variables: ReadonlyArray<Variable>
}

/** The units that run in the cluster, those excepted that have a `url`. */
export const targets = (
  description: DeploymentDescription,
  options: KubernetesOptions,
  { locate, named = names(description), workloadOf = (_, name) => name }: {
    readonly locate: (unit: UnitDescription, names: Names) => string
    readonly workloadOf?: (unit: UnitDescription, name: string) => string
    readonly named?: Names
  }
): ReadonlyArray<Target> =>
  description.units.filter(({ url }) => url === undefined).map((unit) => ({
    unit,
    description,
    options,
    names: named,
    name: named.unit(unit.name),
    workload: workloadOf(unit, named.unit(unit.name)),
    namespace: namespaceOf(description, options),
    image: unit.image ?? imageOf(description, options),
    port: options.port ?? defaultPort,
    selector: selectorOf(named.unit(unit.name), description),
    variables: environmentOf(unit, description, (other) => locate(other, named))
  }))

/** What the port of a unit is called. */
export const portName = "http"

export const namespaceOf = ({ name }: DeploymentDescription, { namespace }: KubernetesOptions): string =>
  namespace ?? name

export const imageOf = ({ name }: DeploymentDescription, { image }: ContainerOptions): string =>
  image ?? `${name}:latest`

/** The labels by which the pods of a unit are found. */
export const selectorOf = (name: string, { name: deployment }: DeploymentDescription) => ({
  "app.kubernetes.io/name": name,
  "app.kubernetes.io/instance": deployment
})

/** The address of all pods that are ready. */
export const headlessAddress = (
  headless: string,
  namespace: string,
  port: number,
  options: KubernetesOptions
): string => addressOf(`${headless}.${namespace}.svc.cluster.local`, port, options)

/** The labels of all that belongs to a unit. */
export const labelsOf = ({ description, image, selector }: Target): Readonly<Record<string, string>> => ({
  ...selector,
  ...versionOf(image),
  "app.kubernetes.io/part-of": description.name,
  "app.kubernetes.io/managed-by": "chorale"
})

const versionOf = (image: string): Readonly<Record<string, string>> => {
  const tag = /:([A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)$/.exec(image.replace(/@.*$/, ""))?.[1]
  return tag === undefined ? {} : { "app.kubernetes.io/version": tag }
}

export const metadataOf = (target: Target, name = target.name): Metadata => ({
  name,
  namespace: target.namespace,
  labels: labelsOf(target)
})

/** The variables that tell a unit where to send what it measures, those excepted that it sets itself. */
export const telemetryVariables = ({ description, name, options, variables }: Target) => {
  const own = new Set(variables.map(({ name }) => name))
  return Object.entries(telemetryOf(`${description.name}-${name}`, options.telemetry)).filter(([name]) =>
    !own.has(name)
  )
}

/**
 * How a pod stops, in seconds. It still answers while callers notice that it is gone: a record of the cluster's DNS is
 * good for five, and a caller looks again after six at most. Then the calls that run have time to end.
 */
export const stopping = ({ unit: { traffic } }: Target) => {
  const drain = 15
  const calls = Math.max(20, seconds(traffic.timeout ?? 0))
  return { drain, grace: drain + calls + 10 }
}
