/**
 * What a replica of a unit runs in its thread or process.
 *
 * The services that it calls are at the addresses that its environment has.
 */
import { Layer } from "effect"
import * as Deployment from "../Deployment.ts"
import * as Layers from "../deployment/layer.ts"
import * as Telemetry from "../http/telemetry.ts"
import * as Worker from "../node/Worker.ts"
import * as Serve from "../Serve.ts"
import { readAssignment } from "./assignment.ts"
import * as Located from "./located.ts"

/** Serves the unit that this thread or process was started for. */
export const run = (deployment: Deployment.Any): void => {
  const { module, unit: name } = readAssignment()
  const unit = deployment.units[name]
  const described = Deployment.describe(deployment).units.find((described) => described.name === name)
  if (unit === undefined || described === undefined) throw new Error(`${module} has no unit ${name} any more`)

  const called = [...unit.dependsOn, ...unit.external].map(Located.fromEnvironment)

  // Limits are for the supervisor to keep; the environment has been set by it. Only the grants are left open.
  const layer = Layers.layerOne(unit, { ...described, traffic: {}, environment: {} }).pipe(
    Layer.provide(Layer.mergeAll(Layer.empty, ...called)),
    // What answers the calls has its spans in the same trace.
    Layer.provideMerge(Serve.layerTelemetry),
    Layer.provide(Layer.succeed(Telemetry.ServiceName, `${deployment.name}-${name}`))
  ) as Layer.Layer<unknown>

  Worker.run([unit.service], layer)
}
