import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Fs from "node:fs"
import * as Http from "node:http"
import { fileURLToPath } from "node:url"
import * as Binary from "../fixtures/cli/binary.ts"

const broken = (name: string) => fileURLToPath(new URL(`../fixtures/cli/broken/${name}.ts`, import.meta.url))
const hello = ["--deployment", Binary.hello]

/** What is there besides the command line. */
interface Around {
  readonly files?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, string>>
}

type Case = readonly [code: number, says: string, args: ReadonlyArray<string>, around?: Around]

const oneLine = (text: string) => text.trim().split("\n").filter((line) => !line.startsWith("Try: "))

const isRefused = Effect.fnUntraced(function*([code, says, args, { env = {}, files = {} } = {}]: Case) {
  const ended = yield* Binary.run(args, { cwd: yield* Binary.folder(files), env })
  assert.strictEqual(ended.code, code, ended.stdout + ended.stderr)
  const [line = "", ...more] = oneLine(ended.stderr)
  assert.include(line, says)
  assert.match(line, /^chorale: /)
  assert.deepStrictEqual(more, [])
  assert.strictEqual(ended.stdout, "")
})

/** The URL of a server that answers everything like this. */
const stranger = (answer: (response: Http.ServerResponse) => void) => {
  const server = Http.createServer((_, response) => answer(response))
  return Effect.acquireRelease(
    Effect.callback<string>((resume) =>
      void server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(`http://127.0.0.1:${typeof address === "object" ? address?.port : ""}`))
      })
    ),
    () =>
      Effect.sync(() => {
        server.close()
        server.closeAllConnections()
      })
  )
}

/** Modules that cannot be read, of which those that are TypeScript are no files of this package. */
const unreadable = {
  "syntax.ts": "\nexport default {{{\n",
  "importing.ts": "import \"./gone.ts\"\n",
  "asking.ts": "import \"not-a-package\"\n",
  "several.ts": "throw new Error(\"one line\\nand another\")\n",
  "text.yaml": "units: {}\n"
}

/** What is wrong with the deployment is the same for all commands that take one. */
const wrongDeployments = (command: ReadonlyArray<string>): ReadonlyArray<Case> => [
  [2, `Unrecognized flag: --nope in command chorale ${command[0]}`, [...command, ...hello, "--nope"]],
  [3, "there is no file nowhere.ts; --deployment names", [...command, "--deployment", "nowhere.ts"]],
  [3, "could not be loaded: this module cannot be loaded (/", [...command, "--deployment", broken("throws")]],
  [
    3,
    "chorale.yaml:1:10 units.greter: the deployment has no such unit. Did you mean greeter?",
    [...command, ...hello],
    { files: { "chorale.yaml": "units: { greter: { replicas: 2 } }\n" } }
  ]
]

const cases: ReadonlyArray<Case> = [
  [2, "Unknown subcommand \"sevre\" for \"chorale\" Did you mean this? serve", ["sevre"]],
  [2, "Unknown subcommand \"x\" for \"chorale\"; there are serve, graph, plan, call, bench, generate, init, doctor", [
    "x"
  ]],

  ...wrongDeployments(["serve"]),
  [2, "Unrecognized flag: --prot in command chorale serve Did you mean this? --port", ["serve", "--prot", "1"]],
  [2, "Invalid value for flag --port: \"x\". Expected a number", ["serve", ...hello, "--port", "x"]],
  [2, "Expected a port from 0 to 65535, got: 65536", ["serve", ...hello, "--port", "65536"]],
  [2, "Expected an address, such as 127.0.0.1 or 0.0.0.0", ["serve", ...hello, "--host", ""]],
  [2, "Expected 0 seconds or more, got: -1", ["serve", ...hello, "--grace-period", "-1"]],
  [2, "\"thread\"", ["serve", ...hello, "--placement", "thread"]],
  [2, "hello has no unit greter; it has greeter, hello", ["serve", ...hello, "--unit", "greter"]],
  [3, "the deployment hidden: units: none is exposed. Give one of them expose: true.", [
    "serve",
    "--deployment",
    broken("hidden")
  ]],
  [3, "the deployment cycle: units.hello.dependsOn: units need each other", ["serve", "-d", broken("cycle")]],
  [3, "the deployment large: units: they ask for more cpu and memory than this machine has", [
    "serve",
    "--deployment",
    broken("large")
  ]],
  [3, "Set GREETER_URL to its address, such as http://host:port.", ["serve", ...hello, "--unit", "hello"]],
  [3, "GREETER_URL: \"greeter\" is no address", ["serve", ...hello, "--unit", "hello"], {
    env: { GREETER_URL: "greeter" }
  }],
  [3, "the environment: Expected a valid URL string at [\"OTEL_EXPORTER_OTLP_ENDPOINT\"]", ["serve", ...hello], {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "collector" }
  }],
  [4, "cannot listen on 192.0.2.1:0: listen EADDRNOTAVAIL", ["serve", ...hello, "-p", "0", "--host", "192.0.2.1"]],

  ...wrongDeployments(["graph"]),
  [2, "Expected: \"text\" | \"mermaid\" | \"dot\" | \"json\"", ["graph", ...hello, "--format", "png"]],
  [3, "there is no deployment.ts, deployment.js, deployment.mjs in /", ["graph"]],
  [3, "has a default export that is no deployment", ["graph", "--deployment", broken("nothing")]],
  [3, "has no default export", ["graph", "--deployment", broken("named")]],
  [3, "syntax.ts:2)", ["graph", "--deployment", "syntax.ts"], { files: unreadable }],
  [3, "Cannot find module '/", ["graph", "--deployment", "importing.ts"], { files: unreadable }],
  [3, "Cannot find package 'not-a-package'", ["graph", "--deployment", "asking.ts"], { files: unreadable }],
  [3, "could not be loaded: one line (/", ["graph", "--deployment", "several.ts"], { files: unreadable }],
  [3, "text.yaml could not be loaded: Unknown file", ["graph", "--deployment", "text.yaml"], { files: unreadable }],

  ...wrongDeployments(["plan"]),
  [3, "there is no file nowhere.yaml that can be read", ["plan", ...hello, "--config", "nowhere.yaml"]],
  [3, "there is no chorale.yaml, and so no profile production", ["plan", ...hello, "--profile", "production"]],
  [3, "chorale.yaml:1:18 yaml: Flow map in block collection", ["plan", ...hello], {
    files: { "chorale.yaml": "units: { greeter:\n" }
  }],
  [3, "chorale.yaml:1:1 the file: \"text\" does not fit. It takes the keys units, profiles.", ["plan", ...hello], {
    files: { "chorale.yaml": "text\n" }
  }],
  [3, "the deployment hello: units.greeter.scaling.target: there is none", ["plan", ...hello], {
    files: { "chorale.yaml": "units: { greeter: { scaling: { max_replicas: 3 } } }\n" }
  }],
  [3, "units.greeter.scaling.target.cpu: it is percent of what a replica asks for, and it asks for none.", [
    "plan",
    ...hello
  ], { files: { "chorale.yaml": "units: { greeter: { scaling: { max_replicas: 3, target: { cpu: 50 } } } }\n" } }],

  ...wrongDeployments(["call", "Hello.hello"]),
  [2, "Missing required argument: method", ["call"]],
  [2, "there is no method Hello.helo; did you mean Hello.hello?", ["call", "Hello.helo", ...hello]],
  [2, "there is no method Other.method; there are hello/Greeter.greet, ", ["call", "Other.method", ...hello]],
  [2, "the payload is no JSON", ["call", "Hello.hello", "{name}", ...hello]],
  [2, "hello/Hello.hello: the payload does not fit the contract: Expected string at [\"name\"]", [
    "call",
    "Hello.hello",
    "{\"name\":1}",
    ...hello
  ]],
  [2, "there is no file nothing.json that can be read", ["call", "Hello.hello", "@nothing.json", ...hello]],
  [2, "wrong.json is no JSON", ["call", "Hello.hello", "@wrong.json", ...hello], { files: { "wrong.json": "{" } }],
  [2, "after @ comes the path of a file", ["call", "Hello.hello", "@", ...hello]],
  [2, "--url must be such as http://127.0.0.1:3000", ["call", "Hello.hello", "--url", "127.0.0.1:1"]],
  [1, "hello/Hello.hello answered 422: {\"_tag\":\"Impolite\"", [
    "call",
    "Hello.hello",
    "{\"name\":\"you\"}",
    ...hello
  ]],
  [1, "the unit greeter did not start: a replica was not ready in time: it had 100 ms", [
    "call",
    "Greeter.greet",
    "--deployment",
    broken("never"),
    "--placement",
    "processes",
    "--start-timeout",
    "0.1"
  ]],

  ...wrongDeployments(["bench", "Hello.hello"]),
  [2, "Missing required argument: method", ["bench"]],
  [2, "there is no method Hello.helo; did you mean Hello.hello?", ["bench", "Hello.helo", ...hello]],
  [2, "the payload is no JSON", ["bench", "Hello.hello", "{name}", ...hello]],
  [2, "Expected more than 0, got: 0", ["bench", "Hello.hello", ...hello, "--duration", "0"]],
  [2, "Invalid value for flag --rate: \"fast\". Expected a number", ["bench", "Hello.hello", "--rate", "fast"]],

  ...wrongDeployments(["generate", "kubernetes"]),
  ...["compose", "kserve", "dockerfile", "openapi"].flatMap((kind): ReadonlyArray<Case> => [
    [2, `Unrecognized flag: --nope in command chorale generate ${kind}`, ["generate", kind, ...hello, "--nope"]],
    [3, "no profile production", ["generate", kind, ...hello, "--profile", "production"]],
    [3, "units need each other", ["generate", kind, "-d", broken("cycle")]]
  ]),
  ...["compose", "schema"].map((kind): Case => [
    1,
    "could not be written: EEXIST: file already exists, mkdir 'file'",
    ["generate", kind, ...(kind === "schema" ? [] : hello), "--out", "file"],
    { files: { file: "" } }
  ]),
  [2, "Unknown subcommand \"kubernets\" for \"chorale generate\" Did you mean this? kubernetes", [
    "generate",
    "kubernets",
    ...hello
  ]],
  [2, "; there are compose, kubernetes, kserve, dockerfile, openapi, schema", ["generate", "-d", "deployment.ts"]],
  [2, "Expected a port from 1 to 65535, got: 0", ["generate", "compose", ...hello, "--port", "0"]],
  [2, "Expected the name of an image, such as", ["generate", "compose", ...hello, "--image", "a b"]],
  [2, "Expected an address such as http://host:port", ["generate", "kserve", ...hello, "--telemetry", "collector"]],
  [2, "Expected an address such as http://host:port", ["generate", "kserve", ...hello, "--prometheus", "ftp://x"]],
  [2, "Expected lower case letters, digits and hyphens", [
    "generate",
    "kubernetes",
    ...hello,
    "--namespace",
    "My_Name"
  ]],
  [3, "the deployment hidden: units: none is exposed. Give one of them expose: true.", [
    "generate",
    "openapi",
    "-d",
    broken("hidden")
  ]],

  [2, "Unrecognized flag: --nope in command chorale init", ["init", "--nope"]],
  [2, "Unexpected positional argument: \"other\"", ["init", "one", "other"]],
  [2, "/file is a file, and no folder", ["init", "file/app"], { files: { file: "" } }],
  [1, "package.json, README.md would be overwritten; nothing was made", ["init"], {
    files: { "package.json": "{}", "README.md": "" }
  }],

  [2, "Unrecognized flag: --nope in command chorale doctor", ["doctor", "--nope"]],
  [2, "Expected a port from 1 to 65535, got: 0", ["doctor", "--port", "0"]]
]

describe.concurrent("chorale that is used wrongly", () => {
  it.live.each(cases)("ends with %i and says in one line %s", isRefused)

  it.live("says of a server that does not answer that it does not, and ends", () =>
    Effect.gen(function*() {
      const url = yield* stranger(() => undefined)
      yield* isRefused([4, `${url} has not answered for 10 seconds`, ["call", "Hello.hello", "--url", url]])
    }))

  it.live("says of a server that is none of chorale's what it is, in one line", () =>
    Effect.gen(function*() {
      const url = yield* stranger((response) => response.end("<html>"))
      for (const command of ["call", "bench"]) {
        const says = `${url} is no server of chorale: its /openapi.json is no JSON`
        yield* isRefused([4, says, [command, "Hello.hello", "--url", url]])
      }
    }))

  it.live("names the unit that does not start, and where", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ broken: "" })
      for (const placement of ["local", "processes"]) {
        const args = ["serve", ...hello, "--port", "0", "--placement", placement]
        const ended = yield* Binary.run(args, { env: { BROKEN_FILE: `${cwd}/broken` } })
        assert.strictEqual(ended.code, 1)
        const [line, ...more] = ended.stderr.trim().split("\n")
        assert.strictEqual(line, "chorale: the unit greeter did not start: Error: the greeter is broken")
        assert.match(more.join(), /^ {4}at .*\/hello\/deployment\.ts:\d+:\d+$/)
      }
    }))

  it.live("names all that is wrong in chorale.yaml, each in a line", () =>
    Effect.gen(function*() {
      const cwd = yield* Binary.folder({ "chorale.yaml": "units:\n  greeter:\n    replica: 2\n  helo: {}\n" })
      const ended = yield* Binary.run(["plan", ...hello], { cwd })
      assert.strictEqual(ended.code, 3)
      assert.deepStrictEqual(ended.stderr.trim().split("\n"), [
        "chorale: chorale.yaml has 2 problems:",
        "  chorale.yaml:3:5 units.greeter.replica: there is no such key. Did you mean replicas?",
        "  chorale.yaml:4:3 units.helo: the deployment has no such unit. Did you mean hello?"
      ])
    }))

  it.live("draws a deployment that is refused, so that one sees why, and plans one that does not fit", () =>
    Effect.gen(function*() {
      const drawn = yield* Binary.run(["graph", "--deployment", broken("cycle")])
      assert.strictEqual(drawn.code, 0)
      assert.include(drawn.stdout, "└─> hello")
      const planned = yield* Binary.run(["plan", "--deployment", broken("large")])
      assert.strictEqual(planned.code, 3)
      assert.include(planned.stdout, "There is not enough cpu and memory.")
      assert.strictEqual(planned.stderr, "chorale: this machine has too little cpu and memory\n")
    }))

  it.live("completes its commands and their flags in shells", () =>
    Effect.gen(function*() {
      for (const shell of ["bash", "zsh", "fish"]) {
        const { code, stdout } = yield* Binary.run(["--completions", shell])
        assert.strictEqual(code, 0)
        for (const word of ["serve", "kubernetes", "placement"]) assert.include(stdout, word)
      }
    }))

  it.live("has in its help the exit codes and each of its commands", () =>
    Effect.gen(function*() {
      const { code, stdout } = yield* Binary.run(["--help"])
      assert.strictEqual(code, 0)
      for (const end of ["0 when it has", "1 when it failed", "2 when", "3 when", "4 when", "130 when"]) {
        assert.include(stdout, end)
      }
      for (const name of Fs.globSync("src/cli/*.ts").map((path) => /([a-z]+)\.ts$/.exec(path)?.[1])) {
        const isCommand = cases.some(([, , [command]]) => command === name)
        if (isCommand) assert.match(stdout, new RegExp(`^ {2}${name} `, "m"))
      }
    }))
})
