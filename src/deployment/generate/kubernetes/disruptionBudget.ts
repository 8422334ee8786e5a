/** How many pods of a unit may be taken away at a time, such as when a node is drained. */
import { type Commented, commented } from "../yaml.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

export const disruptionBudget = (target: Target): Commented<Manifest> => {
  const { selector, unit: { replicas, scaling } } = target
  const alone = (scaling?.minReplicas ?? replicas) === 1
  return commented(
    {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: metadataOf(target),
      spec: { maxUnavailable: 1, unhealthyPodEvictionPolicy: "AlwaysAllow", selector: { matchLabels: selector } }
    },
    ...(alone
      ? [
        [
          ["spec", "maxUnavailable"],
          "With one replica its calls fail while a node is drained; 0 would keep the node from being drained."
        ] as const
      ]
      : [])
  )
}
