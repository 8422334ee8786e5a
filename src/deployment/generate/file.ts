/** What generators make: files by their path. */

/**
 * A file to write: its path from the folder of the project, and its text.
 *
 * @category models
 * @since 0.2.0
 */
export interface File {
  readonly path: string
  readonly content: string
}

/**
 * What holds for generated manifests of any kind. Everything has a default.
 *
 * @category models
 * @since 0.2.0
 */
export interface ContainerOptions {
  /** The image of units that name none: the name of the deployment, with the tag `latest`. */
  readonly image?: string | undefined
  /** The port on which units listen: 3000. */
  readonly port?: number | undefined
  /** What starts a unit; `--unit`, `--replicas`, `--host` and `--port` are added: `node node_modules/.bin/chorale serve`. */
  readonly command?: ReadonlyArray<string> | undefined
  /**
   * Whether a unit looks up the replicas of those that it calls, and chooses among them: yes, at `dns+http://` addresses.
   * Without it they are `http://`, which is one replica to `Location`: for a mesh or a proxy that balances.
   */
  readonly lookup?: boolean | undefined
  /** Where a collector of OpenTelemetry takes traces, metrics and logs over HTTP. Without it none are sent. */
  readonly telemetry?: string | undefined
}

export const defaultPort = 3000
export const defaultCommand: ReadonlyArray<string> = ["node", "node_modules/.bin/chorale", "serve"]

/** One replica of a unit, which everybody may reach who reaches the container. */
export const commandOf = (unit: string, port: number, command = defaultCommand): ReadonlyArray<string> => [
  ...command,
  "--unit",
  unit,
  "--replicas",
  "1",
  "--host",
  "0.0.0.0",
  "--port",
  String(port)
]

/** The address of a unit by the name of a host that has those of all its replicas. */
export const addressOf = (host: string, port: number, { lookup = true }: ContainerOptions): string =>
  `${lookup ? "dns+" : ""}http://${host}:${port}`

/** What tells a unit under which name to send what it measures, and where. */
export const telemetryOf = (service: string, endpoint: string | undefined): Readonly<Record<string, string>> =>
  endpoint === undefined ? {} : {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_LOGS_EXPORTER: "otlp",
    OTEL_METRICS_EXPORTER: "otlp",
    OTEL_SERVICE_NAME: service,
    OTEL_TRACES_EXPORTER: "otlp"
  }
