/** The namespace of a deployment, in which no pod with more rights than these starts. */
import type { DeploymentDescription } from "../../Description.ts"
import { type Commented, commented } from "../yaml.ts"
import type { Manifest } from "./target.ts"

export const namespace = (name: string, { name: deployment }: DeploymentDescription): Commented<Manifest> =>
  commented({
    apiVersion: "v1",
    kind: "Namespace",
    metadata: {
      name,
      labels: {
        "app.kubernetes.io/part-of": deployment,
        "app.kubernetes.io/managed-by": "chorale",
        "pod-security.kubernetes.io/enforce": "restricted"
      }
    }
  })
