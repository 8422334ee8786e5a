/** A file for docker compose that runs a deployment on one machine, each unit in containers of its own. */
import type { DeploymentDescription, UnitDescription } from "../Description.ts"
import { environmentOf, type Variable } from "./environment.ts"
import { addressOf, commandOf, type ContainerOptions, defaultPort, type File, telemetryOf } from "./file.ts"
import { healthCommand } from "./health.ts"
import { memoryOfCompose, seconds } from "./quantity.ts"
import { type Commented, commented, toYaml } from "./yaml.ts"

/**
 * How a deployment runs in docker compose. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface ComposeOptions extends ContainerOptions {
  /** The first port of the machine on which an exposed unit answers: the port of the units. Each replica has one. */
  readonly hostPort?: number | undefined
}

interface Run extends ComposeOptions {
  readonly port: number
  readonly description: DeploymentDescription
}

/**
 * Makes `compose.yaml`: a service for each unit, started when those that it depends on are ready.
 *
 * Exposed units answer on 127.0.0.1 only. A variable whose value the deployment does not know, such as a secret, is
 * taken from the environment of `docker compose` or from `.env`, and nothing starts without it. A unit with a `url` has
 * no service; those that call it have its address.
 *
 * **Gotchas**
 *
 * Compose does not scale by load: a unit that scales has its number of replicas. The description is taken as
 * `Deployment.check` lets it pass.
 *
 * @category converting
 * @since 0.2.0
 */
export const compose = (description: DeploymentDescription, options: ComposeOptions = {}): ReadonlyArray<File> => {
  const run = { ...options, port: options.port ?? defaultPort, description }
  const units = description.units.filter(({ url }) => url === undefined)
  let hostPort = options.hostPort ?? run.port
  const services: Record<string, object> = {}
  for (const unit of units) {
    services[unit.name] = service(unit, run, unit.expose ? hostPort : undefined)
    if (unit.expose) hostPort += unit.replicas
  }
  const document = { name: description.name, services }
  return [{ path: "compose.yaml", content: toYaml([commented(document, ...comments(units, run))]) }]
}

const service = (unit: UnitDescription, run: Run, hostPort?: number) => {
  const { command, description, image, port, telemetry } = run
  const served = description.units.filter(({ name, url }) => url === undefined && unit.dependsOn.includes(name))
  const variables = variablesIn(unit, run)
  const own = Object.fromEntries(variables.map((variable) => [variable.name, valueOf(variable)]))
  const environment = { ...own, ...missing(own, telemetryOf(`${description.name}-${unit.name}`, telemetry)) }
  return {
    image: unit.image ?? image ?? `${description.name}:latest`,
    ...(unit.image === undefined && image === undefined ? { build: "." } : {}),
    command: commandOf(unit.name, port, command).map(escaped),
    ...(Object.keys(environment).length === 0 ? {} : { environment }),
    ...(hostPort === undefined ? { expose: [String(port)] } : { ports: [published(hostPort, unit.replicas, port)] }),
    ...(served.length === 0
      ? {}
      : { depends_on: Object.fromEntries(served.map(({ name }) => [name, { condition: "service_healthy" }])) }),
    healthcheck: {
      test: ["CMD", ...healthCommand(port)],
      interval: "10s",
      timeout: "5s",
      retries: 3,
      start_period: "600s",
      start_interval: "1s"
    },
    deploy: { replicas: unit.replicas, ...resources(unit) },
    restart: "unless-stopped",
    stop_grace_period: `${Math.max(20, seconds(unit.traffic.timeout ?? 0)) + 10}s`,
    user: "1000:1000",
    read_only: true,
    tmpfs: ["/tmp"],
    cap_drop: ["ALL"],
    security_opt: ["no-new-privileges:true"]
  }
}

/** The name of a service has the addresses of all its replicas. */
const variablesIn = (unit: UnitDescription, { description, port, ...options }: Run): ReadonlyArray<Variable> =>
  environmentOf(unit, description, ({ name }) => addressOf(name, port, options))

/** Values that somebody else has are taken from there, and asked for where they are not. */
const valueOf = (variable: Variable): string =>
  "value" in variable
    ? escaped(variable.value)
    // A message ends at the first brace, and a dollar begins a variable in it, too.
    : `\${${variable.name}:?${variable.meaning.replace(/[${}]/g, "-")}}`

const missing = (own: Readonly<Record<string, string>>, more: Readonly<Record<string, string>>) =>
  Object.fromEntries(
    Object.entries(more).filter(([name]) => !Object.hasOwn(own, name)).map(([name, value]) => [name, escaped(value)])
  )

/** A dollar would be read as the beginning of a variable. */
const escaped = (text: string): string => text.replaceAll("$", () => "$$")

/** As many ports of the machine as there are replicas, of which each has one. */
const published = (first: number, replicas: number, port: number): string =>
  `127.0.0.1:${replicas === 1 ? first : `${first}-${first + replicas - 1}`}:${port}`

/** Whole cores at least: Node counts those that a limit leaves it, rounded down. */
const resources = ({ resources }: UnitDescription) => {
  const { cpu = 0, gpu = 0 } = resources
  const memory = memoryOfCompose(resources)
  const limits = {
    ...(cpu === 0 ? {} : { cpus: String(Math.ceil(cpu)) }),
    ...(memory === undefined ? {} : { memory })
  }
  const devices = [{ driver: "nvidia", count: gpu, capabilities: ["gpu"] }]
  return Object.keys(limits).length === 0 && gpu === 0 ? {} : {
    resources: {
      ...(Object.keys(limits).length === 0 ? {} : { limits }),
      ...(gpu === 0 ? {} : { reservations: { devices } })
    }
  }
}

const comments = (units: ReadonlyArray<UnitDescription>, run: Run): Commented["comments"] => {
  const open = new Set(
    units.flatMap((unit) => variablesIn(unit, run)).filter(({ kind }) => kind === "open" || kind === "secret")
      .map(({ name }) => name)
  )
  return [
    ...(open.size === 0
      ? []
      : [[[], `Edit: set ${Array.from(open).toSorted().join(", ")} in .env, which is not for git.`] as const]),
    ...units.flatMap(({ name, resources: { gpu = 0 }, scaling }) => [
      ...(scaling === undefined ? [] : [
        [
          ["services", name, "deploy", "replicas"],
          `From ${scaling.minReplicas} to ${scaling.maxReplicas} where it can scale; compose does not.`
        ] as const
      ]),
      ...(gpu === 0 ? [] : [
        [
          ["services", name, "deploy", "resources", "reservations"],
          "Edit: needs the NVIDIA container toolkit; name device_ids to give replicas GPUs of their own."
        ] as const
      ])
    ])
  ]
}
