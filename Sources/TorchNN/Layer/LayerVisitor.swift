/// Something to be done with a module when it is a layer, whatever its input and output are.
package protocol LayerVisitor {
  func visit<Input, Output>(_ layer: Layer<Input, Output>) throws
}
