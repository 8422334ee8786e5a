/** `chorale generate`: the files with which a deployment runs elsewhere, and descriptions of it. */
import { Console, Effect, Option, Path } from "effect"
import { Command, Flag } from "effect/cli"
import * as Deployment from "../Deployment.ts"
import { defaultCommand } from "../deployment/generate/file.ts"
import * as Generate from "../deployment/generate/Generate.ts"
import * as Limits from "../http/limits.ts"
import * as OpenApi from "../http/openapi.ts"
import { fail } from "./ExitCode.ts"
import * as Files from "./files.ts"
import * as Flags from "./flags.ts"
import { load, nothingExposed, type Options as Loading } from "./load.ts"
import { refuse } from "./prepare.ts"

type Made = ReadonlyArray<Generate.File>

const out = Flag.String("out").pipe(
  Flag.withAlias("o"),
  Flag.withMetavar("folder"),
  Flag.withDescription(
    "The folder to write the files to, which replaces those that are there; without it they are printed"
  ),
  Flag.optional
)

const text = (
  name: string,
  metavar: string,
  description: string,
  { expected, fits }: { readonly expected: string; readonly fits: (value: string) => boolean }
) =>
  Flag.String(name).pipe(
    Flag.withMetavar(metavar),
    Flag.withDescription(description),
    Flag.filter(fits, () => `Expected ${expected}`),
    Flag.optional
  )

const image = {
  expected: "the name of an image, such as registry.example/ocr:1.0.0",
  fits: (value: string) => /^[a-z0-9][\w./:@-]*$/i.test(value)
}

const namespace = {
  expected: "lower case letters, digits and hyphens, such as ocr-production",
  fits: (value: string) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(value)
}

const httpUrl = {
  expected: "an address such as http://host:port",
  fits: (value: string) => /^https?:$/.test(URL.parse(value)?.protocol ?? "")
}

const port = Flag.Int("port").pipe(
  Flag.withDescription("The port on which the units listen"),
  Flag.filter((port) => port > 0 && port < 65_536, (port) => `Expected a port from 1 to 65535, got: ${port}`),
  Flag.optional
)

const container = {
  image: text(
    "image",
    "name",
    "The image of units that name none: the name of the deployment, with the tag latest",
    image
  ),
  port,
  lookup: Flag.Boolean("lookup").pipe(
    Flag.withDescription("Units look up the replicas of those that they call, and choose among them"),
    Flag.withDefault(true)
  ),
  telemetry: text("telemetry", "url", "Where a collector of OpenTelemetry takes traces, metrics and logs", httpUrl)
}

const cluster = {
  ...container,
  namespace: text("namespace", "name", "The namespace, which is made, too: the name of the deployment", namespace),
  prometheus: text("prometheus", "url", "Where KEDA asks Prometheus", httpUrl)
}

const flags = { ...Flags.deployment, out }

const compose = Command.make(
  "compose",
  { ...flags, ...container },
  (options) =>
    fromDescription(
      options,
      (description, command) => Generate.compose(description, { ...withoutNone(options), command })
    )
).pipe(
  Command.withDescription("A file for docker compose.")
)

const kubernetes = Command.make(
  "kubernetes",
  { ...flags, ...cluster },
  (options) =>
    fromDescription(
      options,
      (description, command) => Generate.kubernetes(description, { ...withoutNone(options), command })
    )
).pipe(
  Command.withDescription("Manifests for a Kubernetes cluster.")
)

const kserve = Command.make(
  "kserve",
  { ...flags, ...cluster },
  (options) =>
    fromDescription(
      options,
      (description, command) => Generate.kserve(description, { ...withoutNone(options), command })
    )
).pipe(
  Command.withDescription("Manifests for KServe.")
)

const dockerfile = Command.make(
  "dockerfile",
  { ...flags, port },
  (options) =>
    fromDescription(
      options,
      (description, command) => Generate.dockerfile(description, { ...withoutNone({ port: options.port }), command })
    )
).pipe(
  Command.withDescription("A Dockerfile with which every unit runs, and its .dockerignore.")
)

const openapi = Command.make(
  "openapi",
  flags,
  Effect.fnUntraced(function*(options) {
    const { deployment, description } = yield* checked(options)
    const services = description.units.filter(({ expose }) => expose).flatMap(({ name }) =>
      deployment.units[name]?.service ?? []
    )
    yield* refuse({ deployment }, services.length === 0 ? [nothingExposed] : [])
    const document = OpenApi.make(
      services,
      { title: deployment.name, version: "0.0.0", secured: false },
      Limits.make({})
    )
    yield* write(options.out, [{ path: "openapi.json", content: toJson(document) }])
  })
).pipe(Command.withDescription("The OpenAPI document of what is exposed."))

const schema = Command.make(
  "schema",
  { out },
  ({ out }) => write(out, [{ path: "chorale.schema.json", content: toJson(Deployment.jsonSchema()) }])
).pipe(Command.withDescription("The JSON Schema of chorale.yaml, for editors."))

export const generate = Command.make("generate").pipe(
  Command.withDescription("Makes the files with which a deployment runs elsewhere, and descriptions of it."),
  Command.withExamples([
    {
      command: "chorale generate kubernetes --profile production --out manifests",
      description: "Manifests in a folder"
    },
    { command: "chorale generate schema > chorale.schema.json", description: "What editors complete chorale.yaml with" }
  ]),
  Command.withSubcommands([compose, kubernetes, kserve, dockerfile, openapi, schema])
)

const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

/** The flags that were given. */
const withoutNone = <Options extends Readonly<Record<string, unknown>>>(options: Options) =>
  // Every option of a flag is replaced by its value.
  Object.fromEntries(
    Object.entries(options).flatMap(([name, value]) =>
      Option.isOption(value) ? Option.isSome(value) ? [[name, value.value]] : [] : [[name, value]]
    )
  ) as { readonly [Name in keyof Options]?: Options[Name] extends Option.Option<infer A> ? A : Options[Name] }

const fromDescription = Effect.fnUntraced(function*(
  options: Loading & { readonly out: Option.Option<string> },
  make: (description: Deployment.DeploymentDescription, command: ReadonlyArray<string>) => Made
) {
  const { description } = yield* checked(options)
  yield* write(options.out, make(description, yield* commandOf(options)))
})

/** What starts a unit elsewhere is told of the same deployment, in the folder that corresponds to this one. */
const commandOf = Effect.fnUntraced(function*({ config, deployment, profile }: Loading) {
  const paths = yield* Path.Path
  const flag = (name: string, value: Option.Option<string>) => Option.isSome(value) ? [name, value.value] : []
  const path = (name: string, value: Option.Option<string>) =>
    flag(name, Option.map(value, (path) => paths.relative("", path)))
  return [
    ...defaultCommand,
    ...path("--deployment", deployment),
    ...path("--config", config),
    ...flag("--profile", profile)
  ]
})

const checked = Effect.fnUntraced(function*(options: Loading) {
  const { configuration: read, deployment } = yield* load(options)
  const configuration = yield* read
  const description = yield* Effect.mapError(
    Deployment.check(deployment, configuration === undefined ? {} : { configuration }),
    (error) => fail("deployment", error.message)
  )
  return { deployment, description }
})

/** One file is printed as it is; of several, each after its path. */
const write = Effect.fnUntraced(function*(out: Option.Option<string>, made: Made) {
  if (Option.isNone(out)) {
    const contents = made.map(({ content, path }) => made.length === 1 ? content : `# ${path}\n${content}`)
    return yield* Console.log(contents.join("\n").trimEnd())
  }
  const paths = yield* Path.Path
  for (const { content, path } of made) {
    const target = paths.join(out.value, path)
    yield* Files.write(target, content)
    yield* Console.log(target)
  }
})
