/** Manifests with which KServe runs what a deployment exposes. */
import type { DeploymentDescription } from "../Description.ts"
import type { File } from "./file.ts"
import { autoscaler, files, objects } from "./kubernetes.ts"
import { configMap } from "./kubernetes/configMap.ts"
import { disruptionBudget } from "./kubernetes/disruptionBudget.ts"
import { inferenceService, predictorName } from "./kubernetes/inferenceService.ts"
import { networkPolicy } from "./kubernetes/networkPolicy.ts"
import { serviceAccount } from "./kubernetes/serviceAccount.ts"
import {
  headlessAddress,
  type KubernetesOptions,
  type Manifest,
  namespaceOf,
  type Target,
  targets
} from "./kubernetes/target.ts"
import { names } from "./naming.ts"
import type { Commented } from "./yaml.ts"

/**
 * Makes the manifests of a deployment for KServe: an InferenceService for each exposed unit, which speaks the Open
 * Inference Protocol, and for the others those that `kubernetes` makes.
 *
 * KServe then routes to what is exposed. The port is 8080, and everything else as `kubernetes` says.
 *
 * **Gotchas**
 *
 * The InferenceServices are deployed as plain Deployments (`RawDeployment`): Knative takes no pods that wait before
 * they stop. Autoscalers of the units are made here and not by KServe.
 *
 * @category converting
 * @since 0.2.0
 */
export const kserve = (description: DeploymentDescription, options: KubernetesOptions = {}): ReadonlyArray<File> => {
  const inNamespace = namespaceOf(description, options)
  const port = options.port ?? 8080
  const units = targets(description, { ...options, port }, {
    named: names(description, longestName),
    workloadOf: (unit, name) => unit.expose ? predictorName(name) : name,
    locate: (unit, names) =>
      unit.expose
        // KServe puts a Service with the port 80 before what it runs.
        ? `http://${predictorName(names.unit(unit.name))}.${inNamespace}.svc.cluster.local`
        : headlessAddress(names.derived(unit.name, "headless"), inNamespace, port, options)
  })
  return files(
    "kserve",
    description,
    inNamespace,
    units.map((target) => [target.name, target.unit.expose ? exposed(target) : objects(target)])
  )
}

/** The Deployment that KServe makes has ten more characters in its name. */
const longestName = 36

const exposed = (target: Target): ReadonlyArray<Commented<Manifest>> => [
  serviceAccount(target),
  ...configMap(target),
  inferenceService(target),
  ...autoscaler(target),
  disruptionBudget(target),
  networkPolicy(target)
]
