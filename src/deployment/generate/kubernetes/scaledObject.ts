/** The autoscaler of KEDA, which asks Prometheus how many calls run and how many wait. */
import type { Scaling } from "../../Description.ts"
import { type Commented, commented } from "../yaml.ts"
import { behavior, percent, scaleTarget } from "./behavior.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

const defaultPrometheus = "http://prometheus-operated.monitoring.svc.cluster.local:9090"

/** It makes a HorizontalPodAutoscaler of its own, so a unit has one or the other. */
export const scaledObject = (target: Target, scaling: Scaling): Commented<Manifest> => {
  const { concurrency, cpu, queue } = scaling.target
  return commented(
    {
      apiVersion: "keda.sh/v1alpha1",
      kind: "ScaledObject",
      metadata: metadataOf(target),
      spec: {
        scaleTargetRef: scaleTarget(target),
        minReplicaCount: scaling.minReplicas,
        maxReplicaCount: scaling.maxReplicas,
        pollingInterval: 15,
        advanced: { horizontalPodAutoscalerConfig: { behavior: behavior(scaling) } },
        triggers: [
          ...(concurrency === undefined ? [] : [prometheus(target, "concurrency", running(target), concurrency)]),
          ...(queue === undefined ? [] : [prometheus(target, "queue", waiting(target), queue)]),
          ...(cpu === undefined
            ? []
            : [{ type: "cpu", metricType: "Utilization", metadata: { value: String(percent(cpu)) } }])
        ]
      }
    },
    [
      ["spec", "triggers"],
      "Edit: the address of your Prometheus. It must read /metrics of the pods and add the labels namespace and pod."
    ]
  )
}

/** The whole is divided by the number of replicas. */
const prometheus = ({ options }: Target, name: string, query: string, threshold: number) => ({
  type: "prometheus",
  name,
  metricType: "AverageValue",
  metadata: { serverAddress: options.prometheus ?? defaultPrometheus, query, threshold: String(threshold) }
})

/** The gauge is also there in those who call the unit, so only its own pods count. */
const running = (target: Target): string =>
  `sum(chorale_calls_in_flight{${ownPods(target)},callee=${quoted(target.unit.service)}})`

/** Calls that wait have been received and are not yet in flight. */
const waiting = (target: Target): string => {
  const route = `/rpc|/${target.unit.service.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}/.+`
  return `clamp_min(sum(chorale_request_in_progress{${ownPods(target)},route=~${quoted(route)}}) - ${
    running(target)
  }, 0)`
}

const ownPods = ({ namespace, workload }: Target): string =>
  `namespace=${quoted(namespace)},pod=~${quoted(`${workload}-[a-z0-9]+-[a-z0-9]+`)}`

const quoted = (text: string): string => JSON.stringify(text)
