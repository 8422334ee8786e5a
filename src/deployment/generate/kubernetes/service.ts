/** The Services of a unit: its pods by name for those that call it, and one address for what is outside. */
import { type Commented, commented } from "../yaml.ts"
import { type Manifest, metadataOf, portName, type Target } from "./target.ts"

export const serviceName = ({ names, unit }: Target): string => names.derived(unit.name, "headless")

/** Gives callers the addresses of all pods that are ready; they choose among them. */
export const headlessService = (target: Target): Commented<Manifest> =>
  commented(
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: metadataOf(target, serviceName(target)),
      spec: { type: "ClusterIP", clusterIP: "None", selector: target.selector, ports: [port(target)] }
    },
    [["spec", "ports"], "A headless Service translates no port: what is called is that of the pod."]
  )

/** One address for a gateway; only exposed units have it. */
export const clusterService = (target: Target): Commented<Manifest> =>
  commented({
    apiVersion: "v1",
    kind: "Service",
    metadata: metadataOf(target),
    spec: { type: "ClusterIP", selector: target.selector, ports: [port(target)] }
  })

const port = ({ port }: Target) => ({ name: portName, port, targetPort: portName, protocol: "TCP" })
