#include "model/blocks.h"

namespace tru::model {

Linear Linear::load(weights::Loader& loader, const std::string& name, std::int64_t out,
                    std::int64_t in, bool with_bias) {
  Linear linear;
  linear.weight = loader.linear(name + ".weight", {out, in});
  if (with_bias) linear.bias = loader.vector(name + ".bias", out);
  return linear;
}

ggml_tensor* Linear::operator()(tensor::Graph& graph, ggml_tensor* x) const {
  return tensor::linear(graph, weight, bias, x);
}

LayerNorm LayerNorm::load(weights::Loader& loader, const std::string& name, std::int64_t size) {
  return {loader.vector(name + ".weight", size), loader.vector(name + ".bias", size)};
}

ggml_tensor* LayerNorm::operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const {
  ggml_context* context = graph.context();
  ggml_tensor* y = ggml_mul_inplace(context, ggml_norm(context, x, epsilon), weight);
  return ggml_add_inplace(context, y, bias);
}

RmsNorm RmsNorm::load(weights::Loader& loader, const std::string& name, std::int64_t size) {
  return {loader.vector(name + ".weight", size)};
}

ggml_tensor* RmsNorm::operator()(tensor::Graph& graph, ggml_tensor* x, float epsilon) const {
  ggml_context* context = graph.context();
  return ggml_mul_inplace(context, ggml_rms_norm(context, x, epsilon), weight);
}

}  // namespace tru::model
