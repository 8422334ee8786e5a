/**
 * A deployment as plain data: what runs, where, and how many, after every override was applied.
 *
 * Everything that is derived from a deployment without running it (a plan, a graph, manifests) is made from this.
 */
import type * as Resources from "../Resources.ts"

/**
 * Where the replicas of a unit run when one machine serves the deployment.
 *
 * @category models
 * @since 0.2.0
 */
export type Placement = "local" | "threads" | "processes"

/**
 * When the number of replicas follows the load.
 *
 * `concurrency` is calls in flight per replica, `cpu` percent of what a replica asks for, `queue` calls that wait per
 * replica. Windows are in milliseconds: a change is made only when it was called for that long. The `cpu` of a thread is
 * what it does itself, without threads that it starts, and is measured since Node 24.6.
 *
 * @category models
 * @since 0.2.0
 */
export interface Scaling {
  readonly minReplicas: number
  readonly maxReplicas: number
  readonly target: { readonly concurrency?: number; readonly cpu?: number; readonly queue?: number }
  readonly scaleUpWindow: number
  readonly scaleDownWindow: number
}

/**
 * Limits in front of a unit: calls at a time and calls that wait per replica, and the time of one call (ms).
 *
 * @category models
 * @since 0.2.0
 */
export interface Traffic {
  readonly concurrency?: number
  readonly queue?: number
  readonly timeout?: number
}

/**
 * One unit: a service and how it runs.
 *
 * @category models
 * @since 0.2.0
 */
export interface UnitDescription {
  /** The name of the unit in its deployment: lower case letters, digits and hyphens. */
  readonly name: string
  /** The key of its service, and the names of the service's methods. */
  readonly service: string
  readonly methods: ReadonlyArray<string>
  readonly placement: Placement
  readonly replicas: number
  readonly scaling?: Scaling
  readonly resources: Resources.Request
  readonly traffic: Traffic
  /** The names of the units whose services it calls. */
  readonly dependsOn: ReadonlyArray<string>
  /** Keys of services that it calls and no unit of this deployment serves: the environment has their addresses. */
  readonly external: ReadonlyArray<string>
  /** Environment variables; a value that is `undefined` must come from where it runs. */
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Names of environment variables whose values are secrets. */
  readonly secrets: ReadonlyArray<string>
  /** Whether it is reachable from outside of the deployment over HTTP. */
  readonly expose: boolean
  /** Where it runs already; this deployment then only calls it. */
  readonly url?: string
  readonly instanceType?: string
  readonly image?: string
}

/**
 * A deployment: its name and its units, dependencies first.
 *
 * @category models
 * @since 0.2.0
 */
export interface DeploymentDescription {
  readonly name: string
  readonly units: ReadonlyArray<UnitDescription>
}
