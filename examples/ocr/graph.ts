/** The services of the pipeline as a drawing: what needs what, and what each was given. */
import { Resources } from "chorale"
import { ByteSize, Effect } from "effect"
import { Ocr } from "./contracts.ts"
import { models } from "./live.ts"

/** Draws the pipeline over its models, with their replicas, threads and what each asked for. */
export const drawGraph = Effect.gen(function*() {
  const [detector, classifier, recognizer] = models
  const rows = [
    row(detector.service.key, yield* Resources.granted(detector.service), detector.request),
    row(classifier.service.key, yield* Resources.granted(classifier.service), classifier.request),
    row(recognizer.service.key, yield* Resources.granted(recognizer.service), recognizer.request)
  ]
  const width = Math.max(...rows.map(({ name }) => name.length))
  const branches = rows.map(({ name, text }, index) =>
    `${index === rows.length - 1 ? "└─" : "├─"} ${name.padEnd(width)}  ${text}`
  )
  return [Ocr.key, ...branches].join("\n")
})

const row = (name: string, grant: Resources.Grant, request: Resources.Request) => ({
  name,
  text: [
    `${grant.replicas} ${grant.replicas === 1 ? "replica" : "replicas"} of ${grant.threads} thread`,
    `cpu ${request.cpu ?? 0}`,
    `memory ${
      request.memory === undefined ? 0 : ByteSize.format(ByteSize.fromInputUnsafe(request.memory), { system: "binary" })
    }`
  ].join(", ")
})
