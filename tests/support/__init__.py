"""What tests share: servers, clients, processes, a sound server, certificates, synthetic data."""
