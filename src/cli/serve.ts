/** `chorale serve`: the deployment, or one unit of it, over HTTP. */
import { Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as Flags from "./flags.ts"

const seconds = (name: string, otherwise: number, description: string) =>
  Flag.Finite(name).pipe(
    Flag.withMetavar("seconds"),
    Flag.withDescription(`${description}: ${otherwise} seconds`),
    Flag.filter((value) => value >= 0, (value) => `Expected 0 seconds or more, got: ${value}`),
    Flag.withDefault(otherwise)
  )

const flags = {
  ...Flags.deployment,
  host: Flag.String("host").pipe(
    Flag.withDescription("The address to listen on: 127.0.0.1, which nobody else reaches; in a container 0.0.0.0"),
    Flag.filter((host) => host.trim() !== "", () => "Expected an address, such as 127.0.0.1 or 0.0.0.0"),
    Flag.withDefault("127.0.0.1")
  ),
  port: Flag.Int("port").pipe(
    Flag.withAlias("p"),
    Flag.withDescription("The port to listen on: 3000; with 0 one that is free"),
    Flag.filter((port) => port >= 0 && port < 65_536, (port) => `Expected a port from 0 to 65535, got: ${port}`),
    Flag.withDefault(3000)
  ),
  unit: Flag.String("unit").pipe(
    Flag.withMetavar("name"),
    Flag.withDescription("Only this unit; <SERVICE>_URL says where the services are that it calls"),
    Flag.optional
  ),
  replicas: Flag.Int("replicas").pipe(
    Flag.withMetavar("count"),
    Flag.withDescription("How many replicas the unit has that is served alone: 1"),
    Flag.filter((count) => count >= 1, (count) => `Expected at least 1, got: ${count}`),
    Flag.withDefault(1)
  ),
  placement: Flags.placement,
  startTimeout: Flags.startTimeout,
  drainDelay: seconds(
    "drain-delay",
    0,
    "How long it still takes calls when it is told to stop, and says so on /readyz"
  ),
  gracePeriod: seconds("grace-period", 20, "How long the calls that run may then take to end"),
  bundle: Flag.Boolean("bundle").pipe(
    Flag.withDescription("Start processes from one file of the program, which takes less memory than its modules"),
    Flag.withDefault(true)
  ),
  accessLog: Flag.Boolean("access-log").pipe(
    Flag.withDescription("Write a line for each request"),
    Flag.withDefault(false)
  ),
  watch: Flag.Boolean("watch").pipe(
    Flag.withDescription("Start again when a file of the deployment or its configuration changes"),
    Flag.withDefault(false)
  ),
  json: Flags.json
}

/** What the command line says. */
export type Options = Command.Command.Config.Infer<typeof flags>

export const serve = Command.make("serve", flags, (options) =>
  // The other commands need none of it.
  options.watch
    ? Effect.flatMap(Effect.promise(() => import("./serve/watch.ts")), ({ watch }) => watch(options))
    : Effect.flatMap(Effect.promise(() => import("./serve/run.ts")), ({ run }) =>
      run({ ...options, unit: Option.getOrUndefined(options.unit) }))).pipe(
    Command.withDescription(
      "Runs a deployment and serves what it exposes over HTTP.\n\n" +
        "SIGTERM and SIGINT stop it when the calls that it has taken are answered. SIGHUP reads chorale.yaml again: " +
        "replicas, traffic and scaling change at once. SIGUSR2 replaces all replicas in threads and processes, one " +
        "after another, and no call fails because of it; they then run what the files of the program say by now.\n\n" +
        "Processes start from one file that a bundler makes of the program, and take a third less memory so. They import " +
        "its modules one by one with --no-bundle, where rolldown is not installed, and where NODE_OPTIONS imports " +
        "something before them."
    ),
    Command.withShortDescription("Runs a deployment and serves what it exposes over HTTP."),
    Command.withExamples([
      { command: "chorale serve", description: "Everything in one process, on http://127.0.0.1:3000" },
      { command: "chorale serve --placement processes", description: "Every unit in processes of its own" },
      {
        command: "READER_URL=http://reader:3000 chorale serve --unit ocr --host 0.0.0.0",
        description: "One unit in a container"
      }
    ])
  )
