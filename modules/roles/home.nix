# Hosts that run the home: a broker that devices talk to, and the panel that people open.
{
  # Over IPv6.
  pistack.firewall.allowedTCPPorts = [
    # MQTT
    1883
    # Home Assistant
    8123
  ];
}
