-- expect: error: Received is not for scripts
function deliver(m, box)
  box:add_header("Received", "from nowhere")
end
