// Linked with gRPC, and resolved by system.c alone: so a program with gRPC and
// the bundled Abseil and Protocol Buffers, which would have each twice, does not
// link, and the linker's complaint says what to do.
extern const char sallyport_give_this_target_runtime_system_because_it_links_grpc;

const char* const sallyport_links_grpc = &sallyport_give_this_target_runtime_system_because_it_links_grpc;
