/** `chorale call`: one call of one method. */
import { Console, Effect, Predicate, Result, Stream } from "effect"
import { Argument, Command } from "effect/cli"
import * as Callee from "./callee.ts"
import { fail } from "./ExitCode.ts"
import * as Flags from "./flags.ts"
import * as Payload from "./payload.ts"

export const method = Argument.String("method").pipe(
  Argument.withDescription("The service and its method, such as Ocr.read")
)

export const call = Command.make("call", {
  method,
  payload: Payload.payload,
  ...Flags.deployment,
  url: Flags.url,
  placement: Flags.placement,
  startTimeout: Flags.startTimeout,
  json: Flags.json
}, ({ json, method, payload, ...options }) =>
  Effect.gen(function*() {
    const body = yield* Payload.read(payload)
    const callee = yield* Callee.find(method, options)
    yield* answer(callee.name, yield* callee.send(body), json)
  }).pipe(Effect.scoped)).pipe(
    Command.withDescription(
      "Calls a method, of a server that runs or of the deployment in here, and prints the answer."
    ),
    Command.withExamples([
      { command: `chorale call Hello.hello '{"name":"world"}'`, description: "Run the deployment for one call" },
      { command: "chorale call Ocr.read @page.png --url http://127.0.0.1:3000", description: "Send a file to a server" }
    ])
  )

const answer = Effect.fnUntraced(function*(name: string, response: Response, json: boolean) {
  const type = response.headers.get("content-type") ?? ""
  if (!response.ok) return yield* refusal(name, response.status, yield* textOf(response))
  if (type.startsWith("text/event-stream")) return yield* events(name, response, json)
  if (!type.startsWith("application/json")) return yield* write(yield* bytesOf(response))
  yield* Console.log(format(JSON.parse(yield* textOf(response)), json))
})

/** A payload that does not fit is for the user of the command to change. */
const refusal = (name: string, status: number, text: string) =>
  status === 400 || status === 415
    ? fail("usage", issueOf(text) ?? `${name} answered ${status}: ${text}`)
    : fail("failed", `${name} answered ${status}: ${text}`)

/** In one line, what a server says of a payload. */
const issueOf = (text: string): string | undefined => {
  const body = Result.getOrElse(Result.try((): unknown => JSON.parse(text)), () => undefined)
  return Predicate.hasProperty(body, "error") && Predicate.isString(body.error)
    ? body.error.replaceAll(/\s*\n\s*/g, " ")
    : undefined
}

/** A line for each item. */
const events = (name: string, { body }: Response, json: boolean) =>
  body === null ? Effect.void : Stream.fromReadableStream({
    evaluate: () => body,
    onError: (cause) => fail("failed", `the stream of ${name} has ended early: ${String(cause)}`)
  }).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapAccum(() => false, (isError, line) => {
      if (line === "") return [false, []]
      if (line === "event: error") return [true, []]
      return [isError, [{ isError, text: line.replace(/^data: /, "") }]]
    }),
    Stream.runForEach(({ isError, text }) =>
      isError ? Effect.fail(fail("failed", `${name}: ${text}`)) : Console.log(format(JSON.parse(text), json))
    )
  )

const format = (value: unknown, json: boolean): string => JSON.stringify(value, undefined, json ? 0 : 2)

const textOf = (response: Response) => readBody(() => response.text())

const bytesOf = (response: Response) =>
  Effect.map(readBody(() => response.arrayBuffer()), (buffer) => new Uint8Array(buffer))

const readBody = <A>(read: () => Promise<A>) =>
  Effect.tryPromise({ try: read, catch: (cause) => fail("failed", `the answer has ended early: ${String(cause)}`) })

const write = (bytes: Uint8Array): Effect.Effect<void> =>
  Effect.callback((resume) => {
    process.stdout.write(bytes, () => resume(Effect.void))
  })
