/** Two units that do nothing but say hello. */
import { Deployment, Model } from "chorale"
import { Effect, Schema } from "effect"
import { Rpc } from "effect/rpc"

class Greeter extends Model.Service<Greeter>()("hello/Greeter", [
  Rpc.make("greet", { payload: { name: Schema.String }, success: Schema.String })
]) {}

class Hello extends Model.Service<Hello>()("hello/Hello", [
  Rpc.make("hello", { payload: { name: Schema.String }, success: Schema.String })
]) {}

const GreeterLive = Greeter.toLayer({ greet: ({ name }) => Effect.succeed(`hello ${name}`) })
const HelloLive = Hello.toLayer(Effect.map(Greeter, (greeter) => ({
  hello: ({ name }: { readonly name: string }) => greeter.greet({ name })
})))

export default Deployment.make("hello", {
  greeter: Deployment.unit(Greeter, GreeterLive),
  hello: Deployment.unit(Hello, HelloLive, { dependsOn: [Greeter], expose: true })
})
