/** A step before a unit starts: it waits until each unit that it calls has a replica that is ready. */
import { Result } from "effect"
import { parse } from "../../../Discovery.ts"
import type { Target } from "./target.ts"

/** A name that is looked up has addresses only while pods are ready; a unit that finds none fails. */
export const waitForDependencies = (target: Target): object => {
  const hosts = target.variables.flatMap((variable) => variable.kind === "address" ? hostsOf(variable.value) : [])
  return hosts.length === 0 ? {} : {
    initContainers: [{
      name: "wait-for-dependencies",
      image: target.image,
      command: ["node", "--eval", program, ...new Set(hosts)],
      resources: { requests: { cpu: "10m", memory: "64Mi" }, limits: { memory: "128Mi" } },
      securityContext: {
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ["ALL"] }
      }
    }]
  }
}

const hostsOf = (addresses: string): ReadonlyArray<string> =>
  addresses.split(",").flatMap((address) => {
    const parts = parse(address.trim())
    return Result.isSuccess(parts) && parts.success.scheme !== "unix" && parts.success.lookup
      ? [parts.success.host]
      : []
  })

const program = [
  "const { lookup } = require('node:dns/promises')",
  "const wait = (host) => lookup(host).catch(() => new Promise((next) => setTimeout(next, 1000)).then(() => wait(host)))",
  "Promise.all(process.argv.slice(1).map(wait))"
].join("\n")
