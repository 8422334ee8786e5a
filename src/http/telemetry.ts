/** What a process tells a collector of OpenTelemetry. */
import { Config, ConfigProvider, Context, Effect, Layer, Option } from "effect"
import { FetchHttpClient } from "effect/http"
import * as Otlp from "effect/observability/Otlp"
import * as OtlpSerialization from "effect/observability/OtlpSerialization"

const variable = (name: string) => Config.option(Config.String(name))

const endpoint = Config.all([
  variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
  variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
]).pipe(Config.map(([all, traces]) => Option.isSome(all) || Option.isSome(traces)))

/** What a process is called that the environment has no name for; without it, what the specification says. */
export const ServiceName = Context.Reference<string>("chorale/http/telemetry/ServiceName", {
  defaultValue: () => "unknown_service:node"
})

/** Effect asks for a name, and sends nothing that is not asked for; who names a collector wants traces. */
const defaults = Effect.fnUntraced(function*() {
  const hasEndpoint = yield* endpoint
  const attributes = Option.getOrElse(yield* variable("OTEL_RESOURCE_ATTRIBUTES"), () => "")
  return ConfigProvider.fromEnvRecord({
    ...(hasEndpoint ? { OTEL_TRACES_EXPORTER: "otlp" } : {}),
    ...(/(^|,)\s*service\.name\s*=/.test(attributes) ? {} : { OTEL_SERVICE_NAME: yield* ServiceName })
  })
})

const serialization = Layer.unwrap(
  variable("OTEL_EXPORTER_OTLP_PROTOCOL").pipe(
    Config.map((protocol) =>
      Option.contains(protocol, "http/json") ? OtlpSerialization.layerJson : OtlpSerialization.layerProtobuf
    )
  )
)

/** Traces, metrics and logs over OTLP, as the variables of the environment say. */
export const layer: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(
  Effect.gen(function*() {
    const provider = yield* ConfigProvider.ConfigProvider
    return Otlp.layerFromConfig().pipe(
      Layer.provide(serialization),
      Layer.provide(FetchHttpClient.layer),
      Layer.provide(ConfigProvider.layer(ConfigProvider.orElse(provider, yield* defaults())))
    )
  })
)
