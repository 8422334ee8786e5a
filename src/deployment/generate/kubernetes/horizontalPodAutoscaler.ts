/** The autoscaler of Kubernetes itself, which knows how busy the processors of pods are. */
import type { Scaling } from "../../Description.ts"
import { type Commented, commented } from "../yaml.ts"
import { behavior, percent, scaleTarget } from "./behavior.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

export const horizontalPodAutoscaler = (target: Target, scaling: Scaling, cpu: number): Commented<Manifest> =>
  commented(
    {
      apiVersion: "autoscaling/v2",
      kind: "HorizontalPodAutoscaler",
      metadata: metadataOf(target),
      spec: {
        scaleTargetRef: scaleTarget(target),
        minReplicas: scaling.minReplicas,
        maxReplicas: scaling.maxReplicas,
        metrics: [{
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: percent(cpu) } }
        }],
        behavior: behavior(scaling)
      }
    },
    [["spec", "metrics"], "It needs the metrics server of Kubernetes."]
  )
