/** Manifests with which a deployment runs in a Kubernetes cluster. */
import type { DeploymentDescription } from "../Description.ts"
import { defaultPort, type File } from "./file.ts"
import { isByCpu } from "./kubernetes/behavior.ts"
import { configMap } from "./kubernetes/configMap.ts"
import { deployment } from "./kubernetes/deployment.ts"
import { disruptionBudget } from "./kubernetes/disruptionBudget.ts"
import { horizontalPodAutoscaler } from "./kubernetes/horizontalPodAutoscaler.ts"
import { httpRoute } from "./kubernetes/httpRoute.ts"
import { namespace } from "./kubernetes/namespace.ts"
import { networkPolicy } from "./kubernetes/networkPolicy.ts"
import { scaledObject } from "./kubernetes/scaledObject.ts"
import { clusterService, headlessService } from "./kubernetes/service.ts"
import { serviceAccount } from "./kubernetes/serviceAccount.ts"
import {
  headlessAddress,
  type KubernetesOptions,
  type Manifest,
  namespaceOf,
  type Target,
  targets
} from "./kubernetes/target.ts"
import { type Commented, commented, toYaml } from "./yaml.ts"

/**
 * Makes the manifests of a deployment for Kubernetes, a file for each unit and one for `kubectl apply -k`.
 *
 * A unit is a Deployment behind a headless Service, by which others find its pods. One that scales by
 * `cpu` alone has a HorizontalPodAutoscaler, any other that scales a ScaledObject of KEDA. One that is exposed has an
 * HTTPRoute. A unit with a `url` has no objects; those that call it have its address.
 *
 * **Details**
 *
 * The same description and options give the same text. Comments that begin with `Edit:` say what only you can know. The
 * pods meet the Pod Security Standard "restricted", and NetworkPolicies let each unit be called by those that depend on
 * it, its metrics be read, and nothing else.
 *
 * **Gotchas**
 *
 * The value of a secret is in none of the files; each unit names the Secret that it reads. The description is taken as
 * `Deployment.check` lets it pass. It needs Kubernetes 1.30 or later.
 *
 * @category converting
 * @since 0.2.0
 */
export const kubernetes = (
  description: DeploymentDescription,
  options: KubernetesOptions = {}
): ReadonlyArray<File> => {
  const inNamespace = namespaceOf(description, options)
  const units = targets(description, options, {
    locate: ({ name }, names) =>
      headlessAddress(names.derived(name, "headless"), inNamespace, options.port ?? defaultPort, options)
  })
  return files("kubernetes", description, inNamespace, units.map((target) => [target.name, objects(target)]))
}

/** The objects of a unit, in the order in which they are needed. */
export const objects = (target: Target): ReadonlyArray<Commented<Manifest>> => [
  serviceAccount(target),
  ...configMap(target),
  deployment(target),
  headlessService(target),
  ...(target.unit.expose ? [clusterService(target), httpRoute(target)] : []),
  ...autoscaler(target),
  disruptionBudget(target),
  networkPolicy(target)
]

/** What scales a unit, where it scales. */
export const autoscaler = (target: Target): ReadonlyArray<Commented<Manifest>> => {
  const { scaling } = target.unit
  if (scaling === undefined) return []
  const { cpu } = scaling.target
  return [
    cpu !== undefined && isByCpu(scaling)
      ? horizontalPodAutoscaler(target, scaling, cpu)
      : scaledObject(target, scaling)
  ]
}

/** The files of objects by name, with the namespace and the list of them all. */
export const files = (
  folder: string,
  description: DeploymentDescription,
  inNamespace: string,
  units: ReadonlyArray<readonly [name: string, objects: ReadonlyArray<Commented<Manifest>>]>
): ReadonlyArray<File> => {
  const resources = ["namespace.yaml", ...units.map(([name]) => `units/${name}.yaml`)]
  const kustomization = { apiVersion: "kustomize.config.k8s.io/v1beta1", kind: "Kustomization", resources }
  return [
    {
      path: `${folder}/kustomization.yaml`,
      content: toYaml([commented(kustomization, [[], `kubectl apply -k ${folder}`])])
    },
    { path: `${folder}/namespace.yaml`, content: toYaml([namespace(inNamespace, description)]) },
    ...units.map(([name, objects]) => ({ path: `${folder}/units/${name}.yaml`, content: toYaml(objects) }))
  ]
}
