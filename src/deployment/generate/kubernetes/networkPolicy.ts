/** Who may call a unit, and whom it may call. */
import { Result } from "effect"
import { parse } from "../../../Discovery.ts"
import { variablesOf } from "../naming.ts"
import { type Commented, commented } from "../yaml.ts"
import { defaultGateway } from "./httpRoute.ts"
import { type Manifest, metadataOf, selectorOf, type Target } from "./target.ts"

export const networkPolicy = (target: Target): Commented<Manifest> =>
  commented(
    {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: metadataOf(target),
      spec: {
        podSelector: { matchLabels: target.selector },
        policyTypes: ["Ingress", "Egress"],
        ingress: ingress(target),
        egress: egress(target)
      }
    },
    [["spec", "ingress"], "Edit: the namespaces of your Prometheus and of your gateway."],
    [["spec", "egress"], "Edit: a unit that fetches its models when it starts needs a rule for where they are."]
  )

const ingress = ({ description, names, options, port, unit }: Target) => {
  const callers = description.units.filter(({ dependsOn, url }) => url === undefined && dependsOn.includes(unit.name))
  const namespaces = [
    options.monitoringNamespace ?? "monitoring",
    ...(unit.expose ? [(options.gateway ?? defaultGateway).namespace] : [])
  ]
  return [{
    from: [
      ...callers.map(({ name }) => ({ podSelector: { matchLabels: selectorOf(names.unit(name), description) } })),
      ...Array.from(new Set(namespaces), (name) => ({ namespaceSelector: inNamespace(name) }))
    ],
    ports: [tcp(port)]
  }]
}

const egress = (target: Target) => {
  const { description, names, port, unit } = target
  const inside = description.units.filter(({ name, url }) => url === undefined && unit.dependsOn.includes(name))
  return [
    {
      to: [{ namespaceSelector: inNamespace("kube-system") }],
      ports: [{ protocol: "UDP", port: 53 }, tcp(53)]
    },
    ...(inside.length === 0 ? [] : [{
      to: inside.map(({ name }) => ({ podSelector: { matchLabels: selectorOf(names.unit(name), description) } })),
      ports: [tcp(port)]
    }]),
    ...outside(target)
  ]
}

/** Names cannot be in a rule, so it is for their ports; the address at which clouds give away credentials is not. */
const outside = (target: Target) => {
  const { description, options, unit, variables } = target
  const urls = description.units.flatMap(({ name, url }) =>
    url !== undefined && unit.dependsOn.includes(name) ? url.split(",") : []
  )
  const ports = [...urls, ...(options.telemetry === undefined ? [] : [options.telemetry])].flatMap(portOf)
  const given = variables.flatMap((variable) =>
    variable.kind === "value" && variable.name.endsWith("_URL") ? variable.value.split(",") : []
  ).flatMap(portOf)
  const unknown = unit.external.some((key) =>
    !variables.some(({ kind, name }) => kind === "value" && variablesOf(key).includes(name))
  )
  const known = Array.from(new Set([...ports, ...given])).toSorted((a, b) => a - b)
  if (known.length === 0 && !unknown) return []
  return [{
    to: [
      { ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.0.0/16"] } },
      { ipBlock: { cidr: "::/0", except: ["fe80::/10"] } }
    ],
    ...(unknown ? {} : { ports: known.map(tcp) })
  }]
}

const portOf = (address: string): ReadonlyArray<number> => {
  const parts = parse(address.trim())
  return Result.isSuccess(parts) && parts.success.scheme !== "unix" ? [parts.success.port] : []
}

const inNamespace = (name: string) => ({ matchLabels: { "kubernetes.io/metadata.name": name } })

const tcp = (port: number) => ({ protocol: "TCP", port })
