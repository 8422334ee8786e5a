/** The InferenceService of an exposed unit: a container of its own kind that speaks the Open Inference Protocol. */
import { seconds } from "../quantity.ts"
import { type Commented, commented } from "../yaml.ts"
import { container, environment, podBase, podComments, podMetadata, temporary } from "./pod.ts"
import { secretAdvice } from "./secret.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

/** What KServe calls the Deployment and the Service that it makes. */
export const predictorName = (name: string): string => `${name}-predictor`

export const inferenceService = (target: Target): Commented<Manifest> => {
  const { unit } = target
  const metadata = metadataOf(target)
  const predictor = ["spec", "predictor"]
  const { labels, annotations } = podMetadata(target)
  const env = [{ name: "PROTOCOL", value: "v2" }, ...environment(target)]
  return commented(
    {
      apiVersion: "serving.kserve.io/v1beta1",
      kind: "InferenceService",
      metadata: {
        ...metadata,
        annotations: {
          "serving.kserve.io/deploymentMode": "RawDeployment",
          ...(unit.scaling === undefined ? {} : { "serving.kserve.io/autoscalerClass": "external" })
        }
      },
      spec: {
        predictor: {
          minReplicas: unit.scaling?.minReplicas ?? unit.replicas,
          maxReplicas: unit.scaling?.maxReplicas ?? unit.replicas,
          ...(unit.traffic.concurrency === undefined ? {} : { containerConcurrency: held(unit.traffic) }),
          ...(unit.traffic.timeout === undefined ? {} : { timeout: seconds(unit.traffic.timeout) }),
          labels,
          annotations,
          ...podBase(target),
          containers: [container(target, "kserve-container", "http1", env)],
          volumes: [temporary]
        }
      }
    },
    [[], [`${unit.name} serves ${unit.service} by the Open Inference Protocol.`, ...secretAdvice(target)].join("\n")],
    ...podComments(target, predictor, [...predictor, "containers", 0])
  )
}

/** What waits in the unit is in it, too. */
const held = ({ concurrency = 0, queue = 0 }: Target["unit"]["traffic"]): number => concurrency + queue
