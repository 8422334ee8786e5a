/** The route to an exposed unit from outside of the cluster, by the Gateway API. */
import { type Commented, commented } from "../yaml.ts"
import { type Manifest, metadataOf, type Target } from "./target.ts"

/** Where the gateway is unless it is said. */
export const defaultGateway = { name: "gateway", namespace: "gateway" } as const

/**
 * Leads the calls of the service to its unit, and what only one unit can answer where only one is exposed. Metrics and
 * health stay inside.
 */
export const httpRoute = (target: Target): Commented<Manifest> => {
  const { description, name, options, port, unit } = target
  const exposed = description.units.filter(({ expose, url }) => expose && url === undefined)
  const pages = exposed.length > 1 ? [] : ["/rpc", "/openapi.json", "/docs"]
  return commented(
    {
      apiVersion: "gateway.networking.k8s.io/v1",
      kind: "HTTPRoute",
      metadata: metadataOf(target),
      spec: {
        parentRefs: [options.gateway ?? defaultGateway],
        ...(options.hostnames === undefined || options.hostnames.length === 0 ? {} : { hostnames: options.hostnames }),
        rules: [{
          matches: [
            { path: { type: "PathPrefix", value: pathOf(unit.service) } },
            ...pages.map((value) => ({ path: { type: "Exact", value } }))
          ],
          backendRefs: [{ name, port }]
        }]
      }
    },
    ...(options.gateway === undefined ? [[["spec", "parentRefs"], "Edit: the gateway of your cluster."] as const] : [])
  )
}

const pathOf = (service: string): string => `/${service.split("/").map(encodeURIComponent).join("/")}`
