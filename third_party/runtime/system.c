// See needs_system.c.
extern const char sallyport_give_this_target_runtime_system_because_it_links_grpc;

const char sallyport_give_this_target_runtime_system_because_it_links_grpc = 1;
