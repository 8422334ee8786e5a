/** The account of a unit, which has no rights in the cluster and no token. */
import { type Commented, commented } from "../yaml.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

export const serviceAccount = (target: Target): Commented<Manifest> =>
  commented({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: metadataOf(target),
    automountServiceAccountToken: false
  })
