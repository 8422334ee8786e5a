/** The files of a new project. */
import * as Deployment from "../../Deployment.ts"
import { version } from "../version.ts"

/** The content of each file by its path; `name` is that of the deployment. */
export const template = (name: string): Readonly<Record<string, string>> => ({
  "package.json": packageJson(name),
  "tsconfig.json": tsconfig,
  ".gitignore": "node_modules/\n",
  "README.md": readme(name),
  "chorale.yaml": configuration,
  "chorale.schema.json": toJson(Deployment.jsonSchema()),
  "deployment.ts": deployment(name),
  "src/contracts.ts": contracts(name),
  "src/sentiment.ts": sentiment,
  "src/moderation.ts": moderation,
  "test/moderation.test.ts": test
})

const toJson = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

const packageJson = (name: string) =>
  toJson({
    name,
    version: "0.0.0",
    private: true,
    type: "module",
    engines: { node: ">=22.19" },
    scripts: {
      start: "chorale serve",
      dev: "chorale serve --watch",
      test: "vitest run",
      types: "tsc --noEmit"
    },
    dependencies: {
      "@effect/platform-node": "~4.1.0",
      chorale: `^${version}`,
      effect: "~4.1.0"
    },
    devDependencies: {
      "@effect/vitest": "~4.0.5",
      "@types/node": "^24.0.0",
      // A machine with an older Node has this one for its scripts.
      node: "^24.0.0",
      typescript: "^7.0.2",
      vitest: "^5.1.0"
    },
    allowScripts: { node: true }
  })

const tsconfig = toJson({
  compilerOptions: {
    target: "ES2024",
    module: "NodeNext",
    moduleDetection: "force",
    noEmit: true,
    types: ["node"],
    allowImportingTsExtensions: true,
    verbatimModuleSyntax: true,
    erasableSyntaxOnly: true,
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    skipLibCheck: true
  },
  include: ["*.ts", "src", "test"]
})

const readme = (name: string) =>
  `# ${name}

Two services, of which one calls the other. \`src/contracts.ts\` says what they can do, \`src/sentiment.ts\` and
\`src/moderation.ts\` how, and \`deployment.ts\` which of them run, where, and how many.

\`\`\`
npm install
npm test
npm start                        # http://127.0.0.1:3000/docs
npx chorale graph                # what calls what
npx chorale call Moderation.review '{"text":"what a good day"}'
npx chorale serve --placement processes
npx chorale generate kubernetes --out manifests
\`\`\`

It runs on Node 22.19 and later. npm brings Node 24 for the scripts and for \`npx\`, so that an older one on the machine is
no matter; on a server, which installs without development dependencies, it has to be there.
`

const configuration = `# yaml-language-server: $schema=./chorale.schema.json
# What differs from deployment.ts; \`npx chorale generate schema --out .\` makes the schema by which editors help.

units:
  sentiment:
    traffic: { concurrency: 8, queue: 64, timeout: 10 seconds }

profiles:
  production:
    units:
      sentiment: { placement: processes, replicas: 2 }
`

const deployment = (name: string) =>
  `/** Which services run, where, and how many of each. */
import { Deployment } from "chorale"
import { Moderation, Sentiment } from "./src/contracts.ts"
import { ModerationLive } from "./src/moderation.ts"
import { SentimentLive } from "./src/sentiment.ts"

export default Deployment.make("${name}", {
  sentiment: Deployment.unit(Sentiment, SentimentLive),
  moderation: Deployment.unit(Moderation, ModerationLive, { dependsOn: [Sentiment], expose: true })
})
`

const contracts = (name: string) =>
  `/** What the services can do. Nothing here says how, or where they run. */
import { Model } from "chorale"
import { Schema } from "effect"
import { Rpc } from "effect/rpc"

/** A text that is too long for the model. */
export class TooLong extends Schema.TaggedError<TooLong>()("TooLong", { limit: Schema.Int }, { httpApiStatus: 422 }) {}

/** How friendly a text is, from -1 to 1. */
export class Sentiment extends Model.Service<Sentiment>()("${name}/Sentiment", [
  Rpc.make("score", { payload: { text: Schema.NonEmptyString }, success: Schema.Finite, error: TooLong })
]) {}

/** Whether a text may be published. */
export class Moderation extends Model.Service<Moderation>()("${name}/Moderation", [
  Rpc.make("review", {
    payload: { text: Schema.NonEmptyString },
    success: Schema.Struct({ publish: Schema.Boolean, score: Schema.Finite }),
    error: TooLong
  })
]) {}
`

const sentiment = `/** A model of a few words; an ONNX model takes its place with \`Onnx.session\` of "chorale/onnx". */
import { Resources } from "chorale"
import { Effect } from "effect"
import { Sentiment, TooLong } from "./contracts.ts"

const weights: Readonly<Record<string, number>> = { good: 1, love: 1, fine: 0.5, bad: -1, hate: -1, boring: -0.5 }
const limit = 280

export const SentimentLive = Sentiment.toLayer({
  score: Effect.fn("score")(function*({ text }: { readonly text: string }) {
    if (text.length > limit) return yield* new TooLong({ limit })
    const found = text.toLowerCase().split(/\\W+/).flatMap((word) => weights[word] ?? [])
    return found.length === 0 ? 0 : found.reduce((sum, weight) => sum + weight, 0) / found.length
  })
}).pipe(Resources.require({ cpu: 0.5, memory: "64 MiB" }))
`

const moderation = `/** Composition is ordinary Effect code: it calls the other service wherever that runs. */
import { Effect } from "effect"
import { Moderation, Sentiment } from "./contracts.ts"

export const ModerationLive = Moderation.toLayer(Effect.gen(function*() {
  const sentiment = yield* Sentiment
  return {
    review: Effect.fn("review")(function*({ text }: { readonly text: string }) {
      const score = yield* sentiment.score({ text })
      return { publish: score > -0.5, score }
    })
  }
}))
`

const test = `import { assert, describe, it } from "@effect/vitest"
import { Deployment, Resources } from "chorale"
import { Effect, Layer } from "effect"
import deployment from "../deployment.ts"
import { Moderation, Sentiment } from "../src/contracts.ts"
import { ModerationLive } from "../src/moderation.ts"

const machine = Resources.layerMachine({ cpu: 2, memory: "1 GiB", gpus: [] })

describe("moderation", () => {
  it.effect("publishes what is friendly", () =>
    Effect.gen(function*() {
      const { publish } = yield* Moderation.use((moderation) => moderation.review({ text: "what a good day" }))
      assert.isTrue(publish)
    }).pipe(Effect.provide(Layer.provide(Deployment.layer(deployment), machine))))

  it.effect("holds back what its model finds unfriendly", () =>
    Effect.gen(function*() {
      const answer = yield* Moderation.use((moderation) => moderation.review({ text: "any text" }))
      assert.deepStrictEqual(answer, { publish: false, score: -1 })
    }).pipe(
      // A fake takes the place of the model; nothing else changes.
      Effect.provide(Layer.provide(ModerationLive, Layer.mock(Sentiment, { score: () => Effect.succeed(-1) })))
    ))

  it.effect("is deployed as it is described", () =>
    Effect.gen(function*() {
      const { units } = yield* Deployment.check(deployment)
      assert.deepStrictEqual(units.map(({ name }) => name), ["sentiment", "moderation"])
    }))
})
`
