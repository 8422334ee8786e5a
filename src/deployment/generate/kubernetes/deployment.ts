/** The Deployment of a unit: its pods, and how new ones take the place of old ones. */
import { type Commented, commented } from "../yaml.ts"
import { container, podBase, podComments, podMetadata, temporary } from "./pod.ts"
import { secretAdvice } from "./secret.ts"
import { serviceName } from "./service.ts"
import { type Manifest, metadataOf, portName, type Target } from "./target.ts"

export const deployment = (target: Target): Commented<Manifest> => {
  const { name, selector, unit } = target
  const pod = ["spec", "template", "spec"]
  const manifest = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: metadataOf(target),
    spec: {
      // Where it scales, the autoscaler says how many there are: a number here would be set again by each apply.
      ...(unit.scaling === undefined ? { replicas: unit.replicas } : {}),
      revisionHistoryLimit: 3,
      selector: { matchLabels: selector },
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: podMetadata(target),
        spec: {
          ...podBase(target),
          containers: [container(target, name, portName)],
          volumes: [temporary]
        }
      }
    }
  }
  return commented(
    manifest,
    [
      [],
      [`${unit.name} serves ${unit.service}; others find its pods by ${serviceName(target)}.`, ...secretAdvice(target)]
        .join("\n")
    ],
    ...((unit.resources.gpu ?? 0) > 0
      ? [
        [
          ["spec", "strategy"],
          "Edit: a new pod needs a GPU while the old one still has its own; without a spare one, swap the two numbers."
        ] as const
      ]
      : []),
    ...podComments(target, pod, [...pod, "containers", 0])
  )
}
