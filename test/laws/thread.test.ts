import { holdToLaws } from "./holdToLaws.ts"
import { thread } from "./locations.ts"

holdToLaws("a service in a thread", thread)
